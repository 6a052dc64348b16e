module github.com/clerk-invitations/clerk-go/examples/importer

go 1.26.0

replace github.com/clerk-invitations/clerk-go => ../../

require (
	github.com/clerk-invitations/clerk-go v0.0.0-00010101000000-000000000000
	github.com/creack/pty v1.1.24
	github.com/hinshun/vt10x v0.0.0-20220301184237-5011da428d02
	github.com/stretchr/testify v1.12.1
	golang.org/x/term v0.47.0
)

require (
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
