package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run([]string{"testdata"}, &out))
	require.Equal(t, `type Alias = map[string]Shape
type Base struct
field Base.ID string
var ErrGone error
type Func func(name string, done bool) error
type Item struct
field Item.Base Base (embedded)
field Item.When time.Time `+"`json:\"when\"`"+`
field Item.Raw json.RawMessage `+"`json:\"-\"`"+`
const Limit untyped int = 10
type List[T any] struct
field List.Items []T
method (List[T]) Each(func(T) bool)
func Map[T any, U comparable]([]T, func(T) U) []U
func New(context.Context, ...Option) (*Item, error)
type Option interface
method (Option) Name() string
method (Option) unexported
const Round Shape = "round"
type Shape string
method (*Shape) Set(string)
method (Shape) String() string
const Version untyped string
`, out.String())
}

func TestRunFails(t *testing.T) {
	require.ErrorContains(t, run(nil, nil), "usage")
	require.Error(t, run([]string{"no-such-directory"}, nil))
	require.ErrorContains(t, run([]string{"testdata/broken"}, nil), "undefined: missing")
}
