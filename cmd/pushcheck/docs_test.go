package main

import (
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/internal/golden"
)

// TestPackageSentences holds docs/design.md to the packages' own comments: the
// list of packages is the architecture, and is the same in both.
func TestPackageSentences(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/design.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "<!-- packages -->\n")
	require.True(t, ok)
	written, _, ok := strings.Cut(rest, "<!-- /packages -->")
	require.True(t, ok)
	list := packageList(t)
	if golden.Update() && written != list {
		updated := strings.Replace(string(text), "<!-- packages -->\n"+written, "<!-- packages -->\n"+list, 1)
		require.NoError(t, os.WriteFile("../../docs/design.md", []byte(updated), 0o644))
		return
	}
	if diff := cmp.Diff(list, written); diff != "" {
		t.Errorf("docs/design.md lists other packages or sentences than the code has (-code +page):\n%s", diff)
	}
}

func packageList(t *testing.T) string {
	t.Helper()
	root := filepath.Join("..", "..")
	sentence := map[string]string{}
	var order []string
	for _, path := range goFiles(t, root) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.ParseComments|parser.PackageClauseOnly)
		require.NoError(t, err)
		if _, known := sentence[pkg]; !known {
			order = append(order, pkg)
			sentence[pkg] = ""
		}
		if file.Doc == nil {
			continue
		}
		require.Empty(t, sentence[pkg], "two files have a comment for package %s", pkg)
		words := new(doc.Package).Synopsis(file.Doc.Text())
		for _, start := range []string{"Package ", "Command "} {
			words = strings.TrimPrefix(words, start)
		}
		_, sentence[pkg], _ = strings.Cut(words, " ")
	}
	var b strings.Builder
	for _, pkg := range order {
		require.NotEmpty(t, sentence[pkg], "package %s has no comment", pkg)
		b.WriteString("- `" + pkg + "` " + sentence[pkg] + "\n")
	}
	return b.String()
}
