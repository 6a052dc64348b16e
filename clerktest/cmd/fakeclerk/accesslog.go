package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clerk-invitations/clerk-go/clerktest"
)

// An accessLog writes a line for each request to the API or to a link, and for each request to
// the control API that changes something. It omits the query, which can contain addresses and
// tickets.
type accessLog struct {
	handler http.Handler
	out     io.Writer
}

func (l accessLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	if reading && !strings.HasPrefix(r.URL.Path, "/v1/") && r.URL.Path != clerktest.SignUpPath {
		l.handler.ServeHTTP(w, r)
		return
	}
	start := time.Now()
	seen := &observed{ResponseWriter: w}
	defer func() { // even if the handler breaks the connection
		status := "broken"
		if seen.status != 0 {
			status = strconv.Itoa(seen.status)
		}
		if seen.code != "" {
			status += " " + seen.code
		}
		_, _ = fmt.Fprintf(l.out, "%s %s %q %s %s\n", start.Format(time.TimeOnly), r.Method, r.URL.Path,
			time.Since(start).Round(100*time.Microsecond), status)
	}()
	l.handler.ServeHTTP(seen, r)
}

// An observed is a ResponseWriter that notes the status and the first error's code.
type observed struct {
	http.ResponseWriter

	status int
	code   string
}

func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *observed) WriteHeader(status int) {
	o.status = status
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(body []byte) (int, error) {
	var failed struct{ Errors []struct{ Code string } }
	if o.status >= http.StatusBadRequest && json.Unmarshal(body, &failed) == nil && len(failed.Errors) > 0 {
		o.code = failed.Errors[0].Code
	}
	return o.ResponseWriter.Write(body)
}
