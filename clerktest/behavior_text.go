package clerktest

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Validate returns an error if b has an unknown alternative, a negative ListLag or PageCap, or
// a status that is not an error.
func (b Behavior) Validate() error {
	switch {
	case b.ListLag < 0:
		return fmt.Errorf("clerktest: list-lag %s is negative", b.ListLag)
	case b.PageCap < 0:
		return fmt.Errorf("clerktest: page-cap %d is negative", b.PageCap)
	}
	for _, status := range []int{b.RefusalStatus, b.RateLimitStatus} {
		if status != 0 && (status < 400 || status > 499) {
			return fmt.Errorf("clerktest: status %d of a refusal is not between 400 and 499", status)
		}
	}
	for rule := range rules(&b) {
		text := rule.value.String()
		if rule.isChoice() && text != "" && !slices.Contains(rule.flips, text) {
			return fmt.Errorf("clerktest: %s %q is none of %s", rule.name, text, strings.Join(rule.flips, ", "))
		}
	}
	return nil
}

// String returns the text form of b, which [ParseBehavior] reads; empty for the zero Behavior.
// It omits RewriteAddress.
func (b Behavior) String() string {
	var parts []string
	for rule := range rules(&b) {
		if !rule.value.IsZero() {
			parts = append(parts, rule.text())
		}
	}
	return strings.Join(parts, ",")
}

// ParseBehavior reads the text form of a Behavior: rules separated by commas, each
// "name=value", or "name" alone for one that is true or false. The names are those
// of the fields in lower case with hyphens, such as "list-lag=1s" for ListLag. The
// result is valid.
func ParseBehavior(text string) (Behavior, error) {
	var b Behavior
	given := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		rule, ok := ruleOf(&b, name)
		if !ok {
			return Behavior{}, fmt.Errorf("clerktest: unknown behavior %q: the names are %s", name, strings.Join(ruleNames(), ", "))
		}
		if given[name] {
			return Behavior{}, fmt.Errorf("clerktest: behavior %s is given twice", name)
		}
		given[name] = true
		if err := rule.set(value); err != nil {
			return Behavior{}, fmt.Errorf("clerktest: behavior %s: %w", name, err)
		}
	}
	return b, b.Validate()
}

// Behaviors yields a Behavior for each alternative alone, with its text form such as
// "bulks=until-first", in the order of the fields of [Behavior].
func Behaviors() iter.Seq2[string, Behavior] {
	return func(yield func(string, Behavior) bool) {
		for rule := range rules(&Behavior{}) {
			for _, flip := range rule.flips {
				var b Behavior
				alone, _ := ruleOf(&b, rule.name)
				if err := alone.set(flip); err != nil {
					panic(err) // a field's tag is invalid
				}
				if b.ListLagOf != "" {
					b.ListLag = time.Second // it has no effect alone
				}
				if !yield(b.String(), b) {
					return
				}
			}
		}
	}
}

// A rule is a field of a Behavior that has a text form.
type rule struct {
	name  string
	flips []string // its alternatives
	value reflect.Value
}

// rules returns the rules of b.
func rules(b *Behavior) iter.Seq[rule] {
	return func(yield func(rule) bool) {
		for field, value := range reflect.ValueOf(b).Elem().Fields() {
			r := rule{hyphenated(field.Name), strings.Split(field.Tag.Get("alternatives"), ","), value}
			switch value.Kind() {
			case reflect.Func:
				continue
			case reflect.Bool:
				r.flips = []string{"true"}
			}
			if !yield(r) {
				return
			}
		}
	}
}

func ruleOf(b *Behavior, name string) (rule, bool) {
	for rule := range rules(b) {
		if rule.name == name {
			return rule, true
		}
	}
	return rule{}, false
}

func ruleNames() []string {
	var names []string
	for rule := range rules(&Behavior{}) {
		names = append(names, rule.name)
	}
	return names
}

// isChoice reports whether the alternatives are the rule's only values.
func (r rule) isChoice() bool {
	return r.value.Kind() == reflect.String && r.value.Type() != reflect.TypeFor[string]()
}

func (r rule) text() string {
	if r.value.Kind() == reflect.Bool {
		return r.name
	}
	return fmt.Sprintf("%s=%v", r.name, r.value)
}

func (r rule) set(text string) error {
	switch into := r.value.Addr().Interface().(type) {
	case *bool:
		on, err := strconv.ParseBool(text)
		if text != "" && err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*into = on || text == ""
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		*into = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 1.5s", text)
		}
		*into = d
	default:
		if text == "" {
			return fmt.Errorf("it has no value: give one of %s", strings.Join(r.flips, ", "))
		}
		r.value.SetString(text)
	}
	return nil
}

// hyphenated returns the name of a field's rule: "query-without-ids" for "QueryWithoutIDs".
func hyphenated(name string) string {
	var b strings.Builder
	letters := []rune(name)
	for i, r := range letters {
		starts := i > 0 && unicode.IsUpper(r) && (unicode.IsLower(letters[i-1]) ||
			i+2 < len(letters) && unicode.IsLower(letters[i+1]))
		if starts {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
