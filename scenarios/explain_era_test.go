package scenarios

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher"
)

// TestErasSayWhereItIsWritten: every row of every era cites rules, and they are those
// of docs/rules.md; best, which is no docker, cites its specification and its page.
func TestErasSayWhereItIsWritten(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/rules.md")
	require.NoError(t, err)
	there := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^- \*\*(P-\d{3})\*\*`).FindAllSubmatch(page, -1) {
		there[string(m[1])] = true
	}
	rule := regexp.MustCompile(`P-\d{3}`)
	cited := regexp.MustCompile(`^P-\d{3}(, P-\d{3})*$`)
	for _, era := range pusher.Eras() {
		for _, row := range eraRows(era) {
			if era.Way == pusher.WayBest {
				assert.Regexp(t, `^(eras\.md|end-\d+a?(, end-\d+a?)*)$`, row.Type, "%s: %s", era.Name, row.Name)
				continue
			}
			if row.Name == "indexes" && era.Way == pusher.WayGraph {
				continue // ours: a graph driver has one platform of an index
			}
			assert.Regexp(t, cited, row.Type, "%s: %s", era.Name, row.Name)
			for _, r := range rule.FindAllString(row.Type, -1) {
				assert.True(t, there[r], "%s: %s: %s is not in docs/rules.md", era.Name, row.Name, r)
			}
		}
	}
}

// TestErasSayWhatSetsThemApart: each trait of an era is in its explanation, with the
// rule that it comes from.
func TestErasSayWhatSetsThemApart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		eras       string // a pattern of names
		row, rules string
		doc        string // a pattern
	}{
		{`1\.8`, "ping", "P-090", "5 s"},
		{`1\.8`, "a layer", "P-200", "file first"},
		{`1\.8`, "status words", "P-041", "Buffering to Disk, Pushing, Image successfully pushed"},
		{`1\.9`, "ping", "P-090", "15 s"},
		{`1\.9`, "a layer", "P-200", "while it is sent"},
		{`1\.9`, "parents", "P-221", "repaired"},
		{`1\.9`, "digests of a push", "P-191", "a set"},
		{`1\.9`, "status words", "P-042", "Preparing, Pushing, Pushed"},
		{`1\.[89]$`, "uploads", "P-201, P-202, P-205", "POST, one PATCH, PUT, HEAD"},
		{`1\.[89]$`, "manifests", "P-220, P-222", "^schema 1, signed$"},
		{`1\.1[0-3]`, "manifests", "P-375", "schema 2, then schema 1.*any error"},
		{`1\.1|docker-2`, "layers", "P-340", "^5 at once"},
		{`1\.1|docker-2`, "retries", "P-343", "after 5, 10, 15, 20 s"},
		{`1\.10`, "not retried", "P-345", "^UNAUTHORIZED, UNSUPPORTED, DENIED, a 4xx"},
		{`1\.11`, "not retried", "P-345", "missing credentials or token"},
		{`1\.12`, "not retried", "P-345", "TOOMANYREQUESTS, NAME_UNKNOWN"},
		{`1\.13|docker-2`, "not retried", "P-345", "not there after its upload"},
		{`1\.1|docker-2`, "memory", "P-355", "by diffID"},
		{`1\.1[0-2]`, "known layers", "P-356", "ends the attempt"},
		{`1\.10`, "mounts", "P-357", "repositories at most: 1; the oldest first, the target too; a refusal ends"},
		{`1\.1[12]`, "mounts", "P-358", "repositories at most: 3; the youngest first"},
		{`1\.1[0-3]`, "next endpoint", "P-105", "continueOnError.*MANIFEST_UNKNOWN, NAME_UNKNOWN, UNAUTHORIZED.*no space left"},
		{`1\.1[0-3]`, "V1 after V2", "P-106", "confirmed"},
		{`1\.13|docker-2`, "mounts", "P-359", "1 up to 100 KiB, 3 up to 10 MiB, 4 above"},
		{`1\.13|docker-2`, "HEADs", "P-359", "1 up to 100 KiB, 1 up to 10 MiB, 3 above, there of any repository"},
		{`1\.13|docker-2`, "signed", "P-361, P-362", "HMAC"},
		{`1\.13|docker-2`, "doubled sessions", "P-363", "cancelled"},
		{`1\.13`, "known layers", "P-360", "known in the target"},
		{`20\.10|docker-28`, "known layers", "P-360", "of any repository"},
		{`20\.10`, "manifests", "P-375", "schema 1 after it where that is allowed"},
		{`20\.10`, "next endpoint", "P-109", "MANIFEST_UNKNOWN.*no such process"},
		{`docker-28`, "next endpoint", "P-109", "a refusal with a code, and \"no such process\"$"},
		{`docker-28`, "type of errors", "P-259", "decides"},
		{`docker-28`, "uploads", "P-366", "application/octet-stream"},
		{`docker-28`, "manifests", "P-375", "^schema 2$"},
		{`containerd`, "ping", "P-095", "none"},
		{`containerd`, "uploads", "P-394, P-396", "one PUT.*must name its digest"},
		{`containerd`, "retries", "P-398", "at once"},
		{`containerd`, "status words", "P-399", "Waiting"},
	}
	for _, tt := range tests {
		name, matched := regexp.MustCompile(tt.eras), 0
		for _, era := range pusher.Eras() {
			if !name.MatchString(era.Name) {
				continue
			}
			matched++
			rows := eraRows(era)
			i := slices.IndexFunc(rows, func(r Row) bool { return r.Name == tt.row })
			if assert.GreaterOrEqual(t, i, 0, "%s says nothing of %s", era.Name, tt.row) {
				assert.Equal(t, tt.rules, rows[i].Type, "%s: %s", era.Name, tt.row)
				assert.Regexp(t, tt.doc, rows[i].Doc, "%s: %s", era.Name, tt.row)
			}
		}
		assert.Positive(t, matched, tt.eras)
	}
}

// TestErasAreExplainedByTheirData: no era's name is looked at, and each two say
// something different.
func TestErasAreExplainedByTheirData(t *testing.T) {
	t.Parallel()
	all := pusher.Eras()
	for i, era := range all {
		other := era
		other.Name = "docker-0.0"
		assert.Equal(t, eraRows(era), eraRows(other), era.Name)
		if i > 0 {
			a, b := eraRows(all[i-1]), eraRows(era)
			agent := func(r Row) bool { return r.Name == "User-Agent" }
			assert.NotEqual(t, slices.DeleteFunc(a, agent), slices.DeleteFunc(b, agent), "%s and the one before", era.Name)
		}
	}
	changes := []func(*pusher.Era){
		func(e *pusher.Era) { e.Manifest.RepairsChain = true },
		func(e *pusher.Era) { e.Layers.AsksOnce = true },
		func(e *pusher.Era) { e.Layers.KeepsFirstDigest = true },
		func(e *pusher.Era) { e.Upload.Buffers = false },
		func(e *pusher.Era) { e.Words.Started = "Pushing" },
		func(e *pusher.Era) { e.Errors.PlainBodies = true },
		func(e *pusher.Era) { e.Policy = pusher.Docker113().Policy },
		func(e *pusher.Era) { e.Layers.Retry = pusher.Docker110().Layers.Retry },
		func(e *pusher.Era) { e.Layers.Search = pusher.Docker110().Layers.Search },
	}
	for i, change := range changes {
		e := pusher.Docker18()
		change(&e)
		assert.NotEqual(t, eraRows(pusher.Docker18()), eraRows(e), "change %d is not told", i)
	}
}
