// Package library is the built-in scenarios, one YAML file each, a folder per area.
package library

import "embed"

// Files holds the scenarios at "fallback/v1-only.yaml" and so on.
//
//go:embed */*.yaml
var Files embed.FS
