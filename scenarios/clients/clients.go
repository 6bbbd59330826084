// Package clients is the built-in adapters, one YAML file each: how to drive a
// client that somebody else wrote.
package clients

import "embed"

// Files holds the adapters at "skopeo.yaml" and so on.
//
//go:embed *.yaml
var Files embed.FS
