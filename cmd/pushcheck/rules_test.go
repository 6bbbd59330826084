package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// curves are names of elliptic curves that read like rules.
var curves = map[string]bool{"P-256": true, "P-384": true, "P-521": true}

// TestRulesAreThere finds every rule that code, scenarios and documentation cite
// in docs/rules.md. The end of a range, as in "P-420 to P-448", need not be one.
func TestRulesAreThere(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	rules, err := os.ReadFile(filepath.Join(root, "docs", "rules.md"))
	require.NoError(t, err)
	there := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^- \*\*(P-\d{3}[A-Z]?)\*\*`).FindAllStringSubmatch(string(rules), -1) {
		there[m[1]] = true
	}
	cited := regexp.MustCompile(`P-\d{3}[A-Z]?\b`)
	ranges := regexp.MustCompile(`P-\d{3}(?: to |…| … |-)P-\d{3}`)
	err = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata") {
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		switch filepath.Ext(path) {
		case ".go", ".md", ".yaml":
		default:
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for n, line := range strings.Split(string(content), "\n") {
			for _, rule := range cited.FindAllString(ranges.ReplaceAllString(line, ""), -1) {
				if !there[rule] && !curves[rule] {
					t.Errorf("%s:%d: %s is not in docs/rules.md", path, n+1, rule)
				}
			}
		}
		return nil
	})
	require.NoError(t, err)
}
