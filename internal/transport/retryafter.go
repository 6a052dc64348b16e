package transport

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retryAfter returns how long a response asks to wait, or 0 if it does not ask. A date is
// taken relative to the response's Date if it has one, as the server's clock may be off.
func retryAfter(header http.Header) time.Duration {
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return parseRetryAfter(header.Get("Retry-After"), now)
}

// parseRetryAfter parses a number of seconds or an HTTP date (RFC 9110, 10.2.3), and
// rounds up to whole seconds. It returns 0 for anything else and for dates in the past,
// and the longest Duration for a larger number.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	if value == "" || strings.Trim(value, "0123456789.") != "" {
		return 0
	}
	seconds, err := strconv.ParseFloat(value, 64)
	seconds = math.Ceil(seconds)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0
	case seconds > math.MaxInt64/1e9:
		return math.MaxInt64
	}
	return time.Duration(seconds) * time.Second
}
