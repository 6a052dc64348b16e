package jsonbody_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clerk-invitations/clerk-go/internal/jsonbody"
)

type kind string

// An item has a field of each type that responses have.
type item struct {
	ID     string          `json:"id"`
	ItIs   kind            `json:"it_is"`
	Raw    json.RawMessage `json:"raw"`
	IsUsed bool            `json:"is_used"`
	N      int64           `json:"n"`
}

var errNoID = errors.New("it has no id")

func hasID(it *item) error {
	if it.ID == "" {
		return errNoID
	}
	return nil
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// values lists JSON values that a body may have in place of an item. Every Go version decodes
// them in the same way. A nil want means an error.
var values = []struct {
	name, wire string
	want       *item
}{
	{"all fields", `{"id":"1","it_is":"a","raw":{"b":[]},"is_used":true,"n":-7}`, &item{"1", "a", json.RawMessage(`{"b":[]}`), true, -7}},
	{"white space", " {\n\t\"id\" :\r\n\"1\" } ", &item{ID: "1"}},
	{"names in another case", `{"Id":"1","IT_IS":"a","rAW":1,"iS_Used":true,"N":2}`, &item{"1", "a", json.RawMessage("1"), true, 2}},
	{"names folded beyond ASCII", `{"id":"1","it_iſ":"a"}`, &item{ID: "1", ItIs: "a"}},
	{"names without underscores", `{"id":"1","itis":"a","ItIs":"a"}`, &item{ID: "1"}},
	{"a name with escapes", `{"\u0069d":"1"}`, &item{ID: "1"}},
	{"names twice", `{"id":"0","id":"1","raw":{"a":1},"raw":{"b":2}}`, &item{ID: "1", Raw: json.RawMessage(`{"b":2}`)}},
	{"a name in two cases", `{"ID":"1","id":"0","Id":"1"}`, &item{ID: "1"}},
	{"a null after a value", `{"id":"1","id":null,"n":5,"n":null,"is_used":true,"is_used":null}`, &item{ID: "1", N: 5, IsUsed: true}},
	{"unknown fields", `{"new":{"a":[1,{"b":null}],"a":2},"id":"1","newer":1e999,"newest":"\ud800"}`, &item{ID: "1"}},
	{"nulls", `{"id":"1","it_is":null,"raw":null,"is_used":null,"n":null}`, &item{ID: "1", Raw: json.RawMessage("null")}},
	{"raw as it came", `{"id":"1","raw": {"a": 1, "a":"<\u00e9>","n":12345678901234567890} }`, &item{ID: "1", Raw: json.RawMessage(`{"a": 1, "a":"<\u00e9>","n":12345678901234567890}`)}},
	{"raw with invalid UTF-8", `{"id":"1","raw":"` + "\xff" + `"}`, &item{ID: "1", Raw: json.RawMessage("\"\xff\"")}},
	{"raw nested deeply", `{"id":"1","raw":` + nested(5000) + `}`, &item{ID: "1", Raw: json.RawMessage(nested(5000))}},
	{"invalid UTF-8", "{\"id\":\"1\xff\",\"it\xffis\":1}", &item{ID: "1\ufffd"}},
	{"half a surrogate pair", `{"id":"1\ud800","it_is":"\udc00\ud83d\ude00"}`, &item{ID: "1\ufffd", ItIs: "\ufffd😀"}},
	{"escapes", `{"id":"\"\\\/\b\f\n\r\t\u0041"}`, &item{ID: "\"\\/\b\f\n\r\tA"}},
	{"the largest number", `{"id":"1","n":9223372036854775807}`, &item{ID: "1", N: 9223372036854775807}},
	{"the smallest number", `{"id":"1","n":-9223372036854775808}`, &item{ID: "1", N: -9223372036854775808}},
	{"minus zero", `{"id":"1","n":-0}`, &item{ID: "1"}},

	{"an array", `[{"id":"1"}]`, nil},
	{"a string", `"1"`, nil},
	{"a number", `1`, nil},
	{"a string that is a number", `{"id":1}`, nil},
	{"a string that is an array", `{"id":["1"]}`, nil},
	{"a string that is an object", `{"id":"1","it_is":{}}`, nil},
	{"a boolean that is a string", `{"id":"1","is_used":"true"}`, nil},
	{"a number that is a string", `{"id":"1","n":"1"}`, nil},
	{"a number that is too large", `{"id":"1","n":9223372036854775808}`, nil},
	{"a wrong type, then a right one", `{"id":"1","n":"1","n":1}`, nil},
	{"a leading zero", `{"id":"1","n":01}`, nil},
	{"a plus sign", `{"id":"1","n":+1}`, nil},
	{"NaN", `{"id":"1","n":NaN}`, nil},
	{"a control character in a string", "{\"id\":\"1\n\"}", nil},
	{"an unknown escape", `{"id":"\x"}`, nil},
	{"single quotes", `{'id':'1'}`, nil},
	{"a name without quotes", `{id:"1"}`, nil},
	{"a name that is a number", `{"id":"1",1:2}`, nil},
	{"no colon", `{"id" "1"}`, nil},
	{"no comma", `{"id":"1" "n":1}`, nil},
	{"a comma too many", `{"id":"1",}`, nil},
	{"a comma first", `{,"id":"1"}`, nil},
	{"a comment", `{"id":"1"/**/}`, nil},
	{"the wrong end", `{"id":"1"]`, nil},
	{"no end", `{"id":"1"`, nil},
	{"no end of a string", `{"id":"1`, nil},
	{"a syntax error in an unknown field", `{"id":"1","new":[1,]}`, nil},
	{"an unknown field nested too deeply", `{"id":"1","new":` + nested(10_001) + `}`, nil},
	{"a byte order mark", "\ufeff{}", nil},
	{"nothing", ``, nil},
	{"HTML", `<html>`, nil},
}

func TestReadListDecodesElementsAsUnmarshalDoes(t *testing.T) {
	for _, test := range values {
		t.Run(test.name, func(t *testing.T) {
			var plain item
			err := json.Unmarshal([]byte(test.wire), &plain)
			require.Equal(t, test.want == nil, err != nil, err)
			array := `[{"id":"first"},` + test.wire + `,{"id":"last"}]`
			for shape, wire := range map[string]string{"array": array, "object": `{"data":` + array + `}`} {
				list, err := jsonbody.ReadList([]byte(wire), hasID)
				if test.want == nil {
					require.Error(t, err, shape)
					require.Nil(t, list, shape)
					continue
				}
				require.NoError(t, err, shape)
				require.Equal(t, []item{{ID: "first"}, *test.want, {ID: "last"}}, list.Elements, shape)
			}
		})
	}
}

func TestReadList(t *testing.T) {
	const it = `{"id":"1"}`
	one, none := []item{{ID: "1"}}, []item{}
	for _, test := range []struct {
		name, wire string
		want       *jsonbody.List[item]
	}{
		{"array", `[` + it + `]`, &jsonbody.List[item]{one, -1, true}},
		{"empty array", " \r\n\t[ ] \n", &jsonbody.List[item]{none, -1, true}},
		{"object", `{"data":[` + it + `],"total_count":7}`, &jsonbody.List[item]{one, 7, false}},
		{"object in another order", ` { "total_count" : 7 , "data" : [ ` + it + ` ] } `, &jsonbody.List[item]{one, 7, false}},
		{"object of none", `{"data":[],"total_count":0}`, &jsonbody.List[item]{none, 0, false}},
		{"data alone", `{"data":[` + it + `]}`, &jsonbody.List[item]{one, -1, false}},
		{"total_count alone", `{"total_count":0}`, &jsonbody.List[item]{nil, 0, false}},
		{"null data of none", `{"data":null,"total_count":0}`, &jsonbody.List[item]{nil, 0, false}},
		{"null total_count", `{"data":[],"total_count":null}`, &jsonbody.List[item]{none, -1, false}},
		{"negative total_count", `{"data":[],"total_count":-5}`, &jsonbody.List[item]{none, -1, false}},
		{"unknown fields", `{"a":{"data":1},"data":[],"b":[[]],"c":"\ud800","d":1e999,"total_count":0}`, &jsonbody.List[item]{none, 0, false}},
		{"escaped name", `{"d\u0061ta":[` + it + `]}`, &jsonbody.List[item]{one, -1, false}},
		{"data twice", `{"data":[` + it + `,` + it + `],"data":[` + it + `]}`, &jsonbody.List[item]{one, -1, false}},
		{"total_count twice", `{"data":[],"total_count":1,"total_count":2}`, &jsonbody.List[item]{none, 2, false}},
		{"null total_count second", `{"data":[],"total_count":1,"total_count":null}`, &jsonbody.List[item]{none, 1, false}},
		{"invalid UTF-8 in a name", "{\"d\xffta\":1,\"data\":[]}", &jsonbody.List[item]{none, -1, false}},
		{"deep unknown field", `{"data":[],"a":` + nested(5000) + `}`, &jsonbody.List[item]{none, -1, false}},

		{"names in another case", `{"Data":[],"Total_Count":0}`, nil},
		{"no data of some", `{"total_count":1}`, nil},
		{"null data of some", `{"data":null,"total_count":1}`, nil},
		{"null data alone", `{"data":null}`, nil},
		{"null data second", `{"data":[` + it + `],"data":null}`, nil},
		{"neither", `{"total_count":-1}`, nil},
		{"empty object", `{}`, nil},
		{"null", `null`, nil},
		{"nothing", ``, nil},
		{"white space", " \n", nil},
		{"string", `"[]"`, nil},
		{"number", `5`, nil},
		{"true", `true`, nil},
		{"closing bracket", `]`, nil},
		{"closing brace", `}`, nil},
		{"data that is an object", `{"data":` + it + `}`, nil},
		{"data that is a number", `{"data":5,"total_count":0}`, nil},
		{"data that is a string", `{"data":"[","total_count":0}`, nil},
		{"total_count that is a string", `{"data":[],"total_count":"7"}`, &jsonbody.List[item]{none, 7, false}},
		{"total_count with an exponent", `{"data":[],"total_count":1.2e3}`, &jsonbody.List[item]{none, 1200, false}},
		{"total_count that is a word", `{"data":[],"total_count":"many"}`, nil},
		{"total_count with a fraction", `{"data":[],"total_count":0.5}`, nil},
		{"total_count that is too large", `{"data":[],"total_count":9223372036854775808}`, nil},
		{"element that is null", `[null]`, nil},
		{"element that is an array", `[[]]`, nil},
		{"element that check rejects", `[` + it + `,{}]`, nil},
		{"data broken off", `{"data":[` + it, nil},
		{"array broken off", `[` + it + `,`, nil},
		{"array broken off after an element", `[` + it, nil},
		{"object broken off", `{"data":[]`, nil},
		{"no comma in the array", `[` + it + it + `]`, nil},
		{"comma at the array's end", `[` + it + `,]`, nil},
		{"comma at the array's beginning", `[,` + it + `]`, nil},
		{"comma alone", `[,]`, nil},
		{"comma at the object's end", `{"data":[],}`, nil},
		{"colon for a comma", `{"data":[]:"total_count":0}`, nil},
		{"no colon", `{"data"[]}`, nil},
		{"no value", `{"data"}`, nil},
		{"name that is a number", `{1:[],"data":[]}`, nil},
		{"array with the object's end", `[` + it + `}`, nil},
		{"object with the array's end", `{"data":[]]`, nil},
		{"unknown field too deep", `{"data":[],"a":` + nested(10_001) + `}`, nil},
		{"arrays too deep", strings.Repeat("[", 100_000), nil},
		{"byte order mark", "\ufeff[]", nil},
		{"HTML", `<html>`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := jsonbody.ReadList([]byte(test.wire), hasID)
			require.Equal(t, test.want, list)
			if test.want == nil {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			for _, garbage := range []string{"x", "[]", "{", "}", "]", ",", "\x00", "null"} {
				list, err = jsonbody.ReadList([]byte(test.wire+garbage), hasID)
				require.EqualError(t, err, "it is followed by other data", garbage)
				require.Nil(t, list, garbage)
			}
		})
	}
}

func TestReadListLimitsElements(t *testing.T) {
	const most = 100_000
	wire := "[" + strings.Repeat(`{"id":"1"},`, most-1) + `{"id":"1"}]`
	list, err := jsonbody.ReadList([]byte(wire), hasID)
	require.NoError(t, err)
	require.Len(t, list.Elements, most)

	list, err = jsonbody.ReadList([]byte(`[{"id":"1"},`+wire[1:]), hasID)
	require.EqualError(t, err, "it has more than 100000 elements")
	require.Nil(t, list)
}

// The rest of the body is not read: it is not even valid.
func TestReadListStopsAtTheFirstRejectedElement(t *testing.T) {
	checked := 0
	_, err := jsonbody.ReadList([]byte(`[{"id":"1"},{},{"id":"3"},x`), func(it *item) error {
		checked++
		return hasID(it)
	})
	require.ErrorIs(t, err, errNoID)
	require.EqualError(t, err, "element 1: it has no id")
	require.Equal(t, 2, checked)
}

func TestReadListAllocatesByTheSizeOfTheBody(t *testing.T) {
	for _, test := range []struct{ size, most int }{{10, 1}, {2560, 11}, {1 << 20, 500}} {
		wire := `[{"id":"1"}]` + strings.Repeat(" ", test.size)
		list, err := jsonbody.ReadList([]byte(wire), hasID)
		require.NoError(t, err)
		require.LessOrEqual(t, cap(list.Elements), test.most)
	}
}

func TestErrorsDoNotQuoteTheBody(t *testing.T) {
	for _, wire := range []string{
		`{"id":"1","n":"secret"}`,
		`{"id":"1","raw":{"secret":x}}`,
		`{"id":"1","secret":{"secret":x}}`,
	} {
		_, err := jsonbody.ReadList([]byte(`{"secret":1,"data":[{"id":"0"},`+wire+`]}`), hasID)
		require.ErrorContains(t, err, "element 1: ")
		require.NotContains(t, err.Error(), "secret")
	}
	for _, wire := range []string{`{"secret" 1}`, `{"data":[],"secret":1 "a":1}`, `{"secret":x}`, `{"secret":1,"data" x`} {
		_, err := jsonbody.ReadList([]byte(wire), hasID)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "jsontext", "every Go version names the same package")
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestResultsDoNotAliasTheBody(t *testing.T) {
	long := strings.Repeat("long", 1000)
	wire := `{"id":"` + long + `","raw":"` + long + `"}`
	want := item{ID: long, Raw: json.RawMessage(`"` + long + `"`)}
	overwrite := func(body []byte) { copy(body, bytes.Repeat([]byte("#"), len(body))) }

	for _, wire := range []string{`[` + wire + `]`, `{"data":[` + wire + `]}`} {
		body := []byte(wire)
		list, err := jsonbody.ReadList(body, hasID)
		require.NoError(t, err)
		overwrite(body)
		require.Equal(t, []item{want}, list.Elements)
	}
}
