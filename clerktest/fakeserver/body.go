package fakeserver

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

const (
	// bodyTime is the time that a request's body may take.
	bodyTime = 10 * time.Second
	// maxBody is the most that is read of a body: the fake refuses bodies of more than 1 MiB.
	maxBody = 1<<20 + 1
)

// readBodies reads the body of each request before next, and responds with status 408
// if that takes too long.
func readBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		limited := control.SetReadDeadline(time.Now().Add(bodyTime)) == nil
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, "The request's body did not arrive within "+bodyTime.String()+".", http.StatusRequestTimeout)
			return
		}
		if limited && len(body) < maxBody { // otherwise the deadline applies to the rest of the body
			_ = control.SetReadDeadline(time.Time{}) // it was possible before
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}
