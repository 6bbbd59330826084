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
	order := "P-060"
	if e.Way == pusher.WayBest {
		order = "eras.md"
	}
	rows := []Row{
		agentRow(e),
		{Name: "endpoints", Type: order, Doc: strings.Join(endpoints, ", then ") + "; http where it is allowed"},
	}
	if e.OfficialV1 {
		rows = append(rows, Row{Name: "docker.io", Type: "P-061", Doc: "has a V1 endpoint after its V2 endpoint"})
	}
	if e.PushesToMirrors {
		rows = append(rows, Row{Name: "mirrors", Type: "P-062", Doc: "of docker.io are pushed to first"})
	}
	switch e.Way {
	case pusher.WayContainerd:
		return append(rows, c8dRows(e)...)
	case pusher.WayBest:
		return append(rows, bestRows(e)...)
	case pusher.WayGraph:
	}
	return append(rows, graphRows(e)...)
}

// agentRow says who the era says it is.
func agentRow(e pusher.Era) Row {
	rule := "P-212"
	switch {
	case e.Way == pusher.WayBest:
		rule = "eras.md"
	case strings.Contains(e.UserAgent, "UpstreamClient("):
		rule = "P-391"
	}
	return Row{Name: "User-Agent", Type: rule, Doc: e.UserAgent}
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
		longest := map[pusher.NameLength]string{
			pusher.LengthOfPath:    "the path after the host may have 255 characters",
			pusher.LengthAsWritten: "a name as it was written may have 255 characters, with its host",
			pusher.LengthWithHost:  "a name may have 255 characters with its host, and library/ where it was left out",
		}
		return Row{Name: "names", Type: "P-016, P-053", Doc: "by the grammar of references, tags included; " + longest[n.Longest]}
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

func c8dRows(e pusher.Era) []Row {
	rows := []Row{
		{Name: "ping", Type: "P-095", Doc: "none; the first request is the HEAD of a blob"},
		{Name: "authorization", Type: "P-398", Doc: "when a request was answered 401"},
		{Name: "known blobs", Type: "P-393", Doc: "HEAD of each, with the type in Accept; an answer that is neither yes nor no ends the push"},
		{Name: "layers", Type: "P-340", Doc: fmt.Sprintf("%d at once, the config like a layer", e.Layers.Concurrency)},
		{Name: "uploads", Type: "P-394, P-396", Doc: "POST, one PUT as the blob is stored; the answer must name its digest"},
		{Name: "location", Type: "P-395", Doc: "a path, or an address; anything else is taken for a host"},
		{Name: "mounts", Type: "P-394", Doc: "from where the blob is known to be; after a 401 without"},
		{Name: "retries", Type: "P-398", Doc: "at once: 401, 408, 429, and once 500, 503, 504; no Retry-After"},
		{Name: "manifests", Type: "P-397", Doc: "as they are stored; HEAD first, PUT by tag"},
		{Name: "indexes", Type: "P-399", Doc: "what they name under its digest, then they; one that is not all there gives way to the image that is"},
		{Name: "foreign layers", Type: "P-396", Doc: "are sent as any other blob"},
		{Name: "refusals", Type: "P-400", Doc: "are shown as the registry's list of errors has them"},
	}
	return append(rows, wordRows(e)...)
}

func bestRows(e pusher.Era) []Row {
	return []Row{
		{Name: "written", Type: "eras.md", Doc: "end-3 and the like are endpoints of the OCI distribution-spec 1.1; the rest is in docs/eras.md"},
		{Name: "ping", Type: "end-3", Doc: "none; the first request asks whether the tag names the manifest already"},
		{Name: "authorization", Type: "eras.md", Doc: "when a request was answered 401; tokens are renewed before they expire"},
		{Name: "secrets", Type: "eras.md", Doc: "go to the registry, and to a token service on https or on the registry's own host"},
		{Name: "layers", Type: "eras.md", Doc: fmt.Sprintf("%d at once, the config like a layer", e.Layers.Concurrency)},
		{Name: "uploads", Type: "end-4a, end-6", Doc: "POST, one PUT; chunks where the scenario asks; hashed while they are sent"},
		{Name: "mounts", Type: "end-11", Doc: "from another repository of the registry that has the blob"},
		{Name: "resumes", Type: "end-13", Doc: "a cut upload goes on at the offset that the registry admits"},
		{Name: "retries", Type: "eras.md", Doc: "after 0.5, 1 and 2 s, and not before Retry-After; more than 5 minutes are not waited"},
		{Name: "manifests", Type: "end-7, end-3", Doc: "as they are stored; put, then asked for"},
		{Name: "indexes", Type: "end-7", Doc: "blobs of all platforms side by side, what is named under its digest, then the index by its tag"},
		{Name: "foreign layers", Type: "eras.md", Doc: "stay where they are, unless --allow-nondistributable-artifacts says otherwise"},
		{Name: "referrers", Type: "end-12a", Doc: "a manifest with a subject is in the registry's list, or in one under the fallback tag, whose entries stay"},
		{Name: "clean-up", Type: "eras.md", Doc: "a session that is given up is cancelled"},
	}
}
