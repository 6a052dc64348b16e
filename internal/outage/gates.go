package outage

import "sync"

// Gates holds a Gate for each server. It is safe for concurrent use.
type Gates struct {
	mu    sync.Mutex
	byURL map[string]*Gate
}

// NewGates returns Gates.
func NewGates() *Gates { return &Gates{byURL: map[string]*Gate{}} }

// For returns the Gate of the server at a URL. random is used if there is none yet.
func (g *Gates) For(url string, random func() float64) *Gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	gate := g.byURL[url]
	if gate == nil {
		gate = New(random)
		g.byURL[url] = gate
	}
	return gate
}
