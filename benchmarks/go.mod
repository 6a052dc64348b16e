module github.com/clerk-invitations/clerk-go/benchmarks

go 1.26.0

replace github.com/clerk-invitations/clerk-go => ../

require (
	github.com/clerk-invitations/clerk-go v0.0.0-00010101000000-000000000000
	github.com/clerk/clerk-sdk-go/v2 v2.7.0
	github.com/hashicorp/go-retryablehttp v0.7.8
)

require (
	github.com/go-jose/go-jose/v3 v3.0.4 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	golang.org/x/crypto v0.43.0 // indirect
)
