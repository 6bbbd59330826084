package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/internal/golden"
)

// A foundRegistry is what pushcheck conformance finds on one registry.
type foundRegistry struct {
	ID, Title, How string
	Findings       []finding
	Blocked        map[string]string // check → the check that failed before it
	Unsupported    []string
	FellBack       []string `yaml:"fell-back"`
	// Varies are checks that it passes in one lawful way or another, as it comes.
	Varies []string
}

// A finding is a check that a registry does not pass, and why it does not.
type finding struct {
	Check, Verdict, Because string
	Sometimes               bool // it comes and goes
}

func foundRegistries(t *testing.T) []foundRegistry {
	t.Helper()
	data, err := os.ReadFile("testdata/findings.yaml")
	require.NoError(t, err)
	var list []foundRegistry
	require.NoError(t, yaml.UnmarshalWithOptions(data, &list, yaml.Strict()))
	return list
}

// TestFindings holds docs/findings.md to what the end-to-end test compares with the
// registries: every finding has its reason.
func TestFindings(t *testing.T) {
	t.Parallel()
	docs, levels := map[string]string{}, map[string]conformance.Level{}
	for _, c := range conformance.Checks() {
		docs[c.ID], levels[c.ID] = c.Doc, c.Level
	}
	words := map[conformance.Level]conformance.Word{conformance.Must: conformance.Fail, conformance.Should: conformance.Warn, conformance.May: conformance.Note}
	list := foundRegistries(t)
	for _, r := range list {
		for _, f := range r.Findings {
			assert.NotEmpty(t, f.Because, "%s of %s has no reason", f.Check, r.Title)
			assert.Equal(t, string(words[levels[f.Check]]), f.Verdict, "%s of %s", f.Check, r.Title)
		}
		for check, by := range r.Blocked {
			assert.Contains(t, docs, check, r.Title)
			assert.Contains(t, docs, by, r.Title)
		}
		for _, check := range slices.Concat(r.Unsupported, r.FellBack, r.Varies) {
			assert.Contains(t, docs, check, r.Title)
		}
	}
	page := findingsPage(list, docs)
	const file = "../../docs/findings.md"
	if golden.Update() {
		require.NoError(t, os.WriteFile(file, []byte(page), 0o644))
	}
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	if diff := cmp.Diff(page, string(written)); diff != "" {
		t.Errorf("docs/findings.md is not what testdata/findings.yaml makes; run with -update (-want +got):\n%s", diff)
	}
}

const findingsIntro = `# What conformance finds on registries that there are

This is what ` + "`pushcheck conformance --profile all`" + ` finds on five registries, each as it
comes, without authentication. A test starts them, runs it and compares; CI runs that
test. Each finding was looked at by hand, with the command that the report prints (` + "`--keep`" + `
leaves what it needs in the registry) or in the registry's source, and the last column
says what there was to see. What comes and goes, because it hangs on what happens at
the same time, is marked.

A finding is no judgement of a registry: some are there for tests alone, and a warning
is a wish of clients where the specification is silent. What the verdicts mean stands
in [conformance.md](conformance.md).

`

// findingsPage is the page.
func findingsPage(list []foundRegistry, docs map[string]string) string {
	var b strings.Builder
	b.WriteString(findingsIntro)
	b.WriteString("| registry | fail | warn | note | done another lawful way | lawfully absent |\n|---|---|---|---|---|---|\n")
	for _, r := range list {
		fmt.Fprintf(&b, "| [%s](#%s) | %d | %d | %d | %d | %d |\n", r.Title, r.ID, r.count("fail"), r.count("warn"), r.count("note"), len(r.FellBack), len(r.Unsupported))
	}
	for _, r := range list {
		fmt.Fprintf(&b, "\n<a id=\"%s\"></a>\n\n## %s\n\n%s\n\n", r.ID, r.Title, r.How)
		b.WriteString("| check | verdict | a registry that passes | what this one does |\n|---|---|---|---|\n")
		for _, f := range r.Findings {
			sometimes := ""
			if f.Sometimes {
				sometimes = ", sometimes"
			}
			fmt.Fprintf(&b, "| %s | %s%s | %s | %s |\n", f.Check, f.Verdict, sometimes, docs[f.Check], strings.ReplaceAll(f.Because, "|", `\|`))
		}
		var blocked []string
		for _, c := range conformance.Checks() {
			if by := r.Blocked[c.ID]; by != "" {
				blocked = append(blocked, c.ID+" (by "+by+")")
			}
		}
		paragraph(&b, "Not looked at because of these", blocked)
		paragraph(&b, "Done another lawful way", r.FellBack)
		paragraph(&b, "Passed, or done another lawful way, as it comes", r.Varies)
		paragraph(&b, "Lawfully absent", r.Unsupported)
	}
	return b.String()
}

func paragraph(b *strings.Builder, title string, items []string) {
	if len(items) > 0 {
		fmt.Fprintf(b, "\n%s: %s.\n", title, strings.Join(items, ", "))
	}
}

// count is how many findings have a verdict.
func (r foundRegistry) count(verdict string) int {
	n := 0
	for _, f := range r.Findings {
		if f.Verdict == verdict {
			n++
		}
	}
	return n
}
