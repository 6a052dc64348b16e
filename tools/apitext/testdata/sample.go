// Package sample has one of each thing that can be exported.
package sample

import (
	"context"
	"encoding/json"
	"time"
)

const (
	Version        = "1.2.3"
	Limit          = 10
	Round    Shape = "round"
	internal       = 1
)

var ErrGone, errHidden error

type Shape string

func (c Shape) String() string { return string(c) }
func (c *Shape) Set(s string)  {}
func (c Shape) hidden()        {}

type Base struct{ ID string }

type Item struct {
	Base
	When   time.Time       `json:"when"`
	Raw    json.RawMessage `json:"-"`
	hidden int
}

type Option interface {
	Name() string
	apply(*Item)
}

type Func func(name string, done bool) error

type Alias = map[string]Shape

type hidden struct{ Exported int }

func New(ctx context.Context, opts ...Option) (item *Item, err error) { return nil, nil }

func Map[T any, U comparable](from []T, to func(T) U) []U { return nil }

type List[T any] struct{ Items []T }

func (l List[T]) Each(yield func(T) bool) {}

func unexported() {}
