package scenarios

import (
	"fmt"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
)

// EraSentence says in a sentence what an era is.
func EraSentence(e pusher.Era) string {
	switch e.Way {
	case pusher.WayContainerd:
		return "docker " + e.Version() + " with containerd's image store: no ping, one PUT per blob, retries at once."
	case pusher.WayBest:
		return "No docker but today's best practice: the fewest requests, resumed uploads, patience, everything verified."
	case pusher.WayGraph:
	}
	return "The builtin pusher that behaves on the wire as docker " + e.Version() + " did."
}

// eraRows say what an era does, out of its data, and which rules say so.
func eraRows(e pusher.Era) []Row {
	var endpoints []string
	for _, rule := range e.Endpoints {
		endpoints = append(endpoints, rule.Scheme+" "+rule.Version.String())
	}
	rows := []Row{{Name: "endpoints", Type: "P-060", Doc: strings.Join(endpoints, ", then ") + "; http where it is allowed"}}
	switch e.Way {
	case pusher.WayContainerd:
		return append(rows, c8dRows(e)...)
	case pusher.WayBest:
		return append(rows, bestRows(e)...)
	case pusher.WayGraph:
	}
	return append(rows, graphRows(e)...)
}

func graphRows(e pusher.Era) []Row {
	rows := []Row{{Name: "ping", Type: "P-090", Doc: fmt.Sprintf("GET /v2/ first, for %s at most", e.PingTimeout)}}
	if e.VersionHeader {
		rows = append(rows, Row{Name: "version", Type: "P-092", Doc: "the answer must name registry/2.0"})
	}
	tokens := "for as long as the service says, a minute at least"
	rule := "P-144"
	if e.TokenLifetime > 0 {
		tokens, rule = "for "+e.TokenLifetime.String()+", whatever the service says", "P-143"
	}
	rows = append(rows, Row{Name: "tokens", Type: rule, Doc: "are kept " + tokens})
	layers, rule := "one after the other, the top one first", "P-190"
	if e.Layers.Concurrency > 0 {
		layers, rule = fmt.Sprintf("%d at once", e.Layers.Concurrency), "P-340"
	}
	rows = append(rows, Row{Name: "layers", Type: rule, Doc: layers})
	body, rule := "compressed while it is sent", "P-367"
	if e.Upload.Buffers {
		body, rule = "compressed into a file first", "P-200"
	}
	rows = append(rows, Row{Name: "uploads", Type: rule, Doc: "POST, one PATCH, PUT, HEAD; a layer is " + body})
	if n := e.Layers.Retry.Attempts; n > 1 {
		rows = append(rows, Row{Name: "retries", Type: "P-343", Doc: fmt.Sprintf("a layer is tried %d times; the wait grows by %s", n, e.Layers.Retry.Step)})
	} else {
		rows = append(rows, Row{Name: "retries", Type: "P-208", Doc: "none"})
	}
	rows = append(rows, searchRows(e.Layers.Search)...)
	rows = append(rows, Row{Name: "manifests", Type: "P-375", Doc: formatWords(e)}, nameRow(e.Names))
	if e.Layers.Concurrency == 0 {
		return rows
	}
	return append(rows, foreignRow(e), Row{Name: "indexes", Type: "", Doc: "the graph has an image for one platform, and that is pushed"})
}

// searchRows say how what is known of a layer is used.
func searchRows(s pusher.SearchRules) []Row {
	n := len(s.Budgets)
	if n == 0 {
		return []Row{{Name: "known layers", Type: "P-195", Doc: "are asked for by the digest that they had; an answer that is neither yes nor no ends the push"}}
	}
	asked := "are asked for in the target"
	if s.FirstAny {
		asked += ", wherever they were seen"
	}
	if s.CheckFails {
		asked += "; an answer that is neither yes nor no ends the attempt"
	} else {
		asked += "; an answer that is neither yes nor no is ignored"
	}
	var mounts []string
	for _, b := range s.Budgets {
		text := fmt.Sprintf("from %d", b.Mounts)
		if b.UpTo > 0 {
			text += " up to " + sizeWords(b.UpTo)
		}
		mounts = append(mounts, text)
	}
	text := strings.Join(mounts, ", ") + " of the repositories that have a layer at the most"
	if s.Fails {
		text += "; a refusal ends the attempt"
	}
	rows := []Row{{Name: "known layers", Type: "P-360", Doc: asked}, {Name: "mounts", Type: "P-359", Doc: text}}
	if s.Signs {
		rows = append(rows, Row{Name: "memory", Type: "P-362", Doc: "of layers is tied to the user's credentials; those of the same user come first"})
	}
	if s.Restarts {
		rows = append(rows, Row{Name: "doubled sessions", Type: "P-363", Doc: "are cancelled when a second mount opens another"})
	}
	return rows
}

func sizeWords(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// nameRow says which names are taken.
func nameRow(n pusher.NameRules) Row {
	switch {
	case n.Reference != "":
		return Row{Name: "names", Type: "P-016", Doc: "by the grammar of references, tags included"}
	case n.Labels:
		return Row{Name: "names", Type: "P-053", Doc: "of lower case letters, digits, single dots and underscores, and hyphens; tags are not looked at"}
	}
	return Row{Name: "names", Type: "P-053", Doc: "of lower case letters, digits, and single dots, underscores and hyphens; tags are not looked at"}
}

// foreignRow says what becomes of layers that live elsewhere.
func foreignRow(e pusher.Era) Row {
	switch {
	case e.Layers.ForeignAllowed:
		return Row{Name: "foreign layers", Type: "P-043", Doc: "are skipped, unless --allow-nondistributable-artifacts says otherwise"}
	case e.Layers.Foreign:
		return Row{Name: "foreign layers", Type: "P-043", Doc: "are skipped"}
	}
	return Row{Name: "foreign layers", Type: "P-043", Doc: "are sent as any other"}
}

func formatWords(e pusher.Era) string {
	var words []string
	for _, f := range e.Manifests {
		word := "schema 2"
		if f == pusher.Schema1 {
			word = "schema 1"
		}
		words = append(words, word)
	}
	text := strings.Join(words, ", then ")
	if e.Schema1Allowed {
		text += "; schema 1 where that is allowed"
	}
	return text
}

func c8dRows(e pusher.Era) []Row {
	return []Row{
		{Name: "ping", Type: "P-095", Doc: "none; the first request is the HEAD of a blob"},
		{Name: "authorization", Type: "P-398", Doc: "when a request was answered 401"},
		{Name: "layers", Type: "P-340", Doc: fmt.Sprintf("%d at once, the config like a layer", e.Layers.Concurrency)},
		{Name: "uploads", Type: "P-396", Doc: "POST, one PUT as the blob is stored; the answer must name its digest"},
		{Name: "location", Type: "P-395", Doc: "a path, or an address; anything else is taken for a host"},
		{Name: "mounts", Type: "P-394", Doc: "from where the blob is known to be; after a 401 without"},
		{Name: "retries", Type: "P-398", Doc: "at once: 401, 408, 429, and once 500, 503, 504; no Retry-After"},
		{Name: "manifests", Type: "P-397", Doc: "as they are stored; HEAD first, PUT by tag"},
		{Name: "indexes", Type: "P-399", Doc: "what they name under its digest, then they; one that is not all there gives way to the image that is"},
		{Name: "foreign layers", Type: "P-392", Doc: "are sent as any other blob"},
	}
}

func bestRows(e pusher.Era) []Row {
	return []Row{
		{Name: "ping", Type: "", Doc: "none; the first request asks whether the tag names the manifest already"},
		{Name: "authorization", Type: "", Doc: "when a request was answered 401; tokens are renewed before they expire"},
		{Name: "secrets", Type: "", Doc: "go to the registry, and to a token service on https or on the registry's own host"},
		{Name: "layers", Type: "", Doc: fmt.Sprintf("%d at once, the config like a layer", e.Layers.Concurrency)},
		{Name: "uploads", Type: "", Doc: "POST, one PUT; chunks where the scenario asks; hashed while they are sent"},
		{Name: "resumes", Type: "", Doc: "a cut upload goes on at the offset that the registry admits"},
		{Name: "retries", Type: "", Doc: "after 0.5, 1 and 2 s, and not before Retry-After; more than 5 minutes are not waited"},
		{Name: "manifests", Type: "", Doc: "as they are stored; put, then asked for"},
		{Name: "indexes", Type: "", Doc: "blobs of all platforms side by side, what is named under its digest, then the index by its tag"},
		{Name: "foreign layers", Type: "", Doc: "stay where they are, unless --allow-nondistributable-artifacts says otherwise"},
		{Name: "referrers", Type: "", Doc: "a manifest with a subject is in the registry's list, or in one under the fallback tag, whose entries stay"},
		{Name: "clean-up", Type: "", Doc: "a session that is given up is cancelled"},
	}
}
