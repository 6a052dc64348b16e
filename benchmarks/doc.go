// Package benchmarks has no code. Its benchmarks compare package clerk with Clerk's own Go
// client, with net/http and encoding/json alone, and with go-retryablehttp alone.
package benchmarks
