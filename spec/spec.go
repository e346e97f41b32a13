// Package spec has the pages of the specification, as they are in the repository, for the manual that members serve.
//
// It promises nothing but the files beside it.
//
//	Pages.ReadFile("receipt.md")
package spec

import "embed"

// Pages are README.md and the pages that it lists.
//
//go:embed *.md
var Pages embed.FS
