package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
)

// graphRows say what a docker does that pushes out of its graph. Those before 1.10
// send one layer after the other; the data says that with a concurrency of 0.
func graphRows(e pusher.Era) []Row {
	var rows []Row
	rows = append(rows, fallbackRows(e)...)
	rows = append(rows, v1Rows(e)...)
	rows = append(rows, pingRows(e)...)
	rows = append(rows, tokenRows(e)...)
	rows = append(rows, layerRows(e)...)
	rows = append(rows, uploadRows(e)...)
	rows = append(rows, retryRows(e)...)
	rows = append(rows, searchRows(e.Layers)...)
	rows = append(rows, manifestRows(e)...)
	rows = append(rows, errorRows(e)...)
	rows = append(rows, wordRows(e)...)
	rows = append(rows, nameRow(e.Names))
	if e.Layers.Concurrency == 0 {
		return rows
	}
	return append(rows, foreignRow(e), Row{Name: "indexes", Doc: "the graph has an image for one platform, and that is pushed"})
}

func pingRows(e pusher.Era) []Row {
	rows := []Row{{Name: "ping", Type: "P-090", Doc: fmt.Sprintf("GET /v2/ first, for %s at most", seconds(e.PingTimeout))}}
	switch {
	case e.VersionHeader:
		return append(rows, Row{Name: "version", Type: "P-092", Doc: "the answer must name registry/2.0, whatever its status"})
	case speaksV1(e):
		return append(rows, Row{Name: "version", Type: "P-094", Doc: "the answer need not name registry/2.0; where it does, V2 is confirmed"})
	}
	return append(rows, Row{Name: "version", Type: "P-094", Doc: "is not demanded of the answer"})
}

func tokenRows(e pusher.Era) []Row {
	if e.TokenLifetime > 0 {
		return []Row{{Name: "tokens", Type: "P-143", Doc: "are kept for " + seconds(e.TokenLifetime) + ", whatever the service says"}}
	}
	rows := []Row{{Name: "tokens", Type: "P-144", Doc: fmt.Sprintf("are kept for as long as the service says, %s at least", seconds(e.Token.MinLifetime))}}
	mounts := map[pusher.MountScope]string{
		pusher.MountScopeKept:   "a new token, and the right to read the other repository is asked for from then on",
		pusher.MountScopeCached: "a new token with the right to read the other repository",
		pusher.MountScopeFresh:  "a token for that request alone",
		pusher.MountScopeKnown:  "a token for that request alone, unless the right is asked for anyway",
	}
	if text := mounts[e.Token.MountScope]; text != "" {
		rows = append(rows, Row{Name: "tokens of mounts", Type: "P-145", Doc: text})
	}
	if e.Token.Refresh {
		rows = append(rows, Row{Name: "identity tokens", Type: "P-146", Doc: "are exchanged for a token by POST"})
	}
	if e.DefaultPorts {
		rows = append(rows, Row{Name: "default ports", Type: "P-131", Doc: "a host with its scheme's own port is the host without"})
	}
	return rows
}

func layerRows(e pusher.Era) []Row {
	if n := e.Layers.Concurrency; n > 0 {
		doc := "one transfer for all pushes of a layer to a repository"
		if !e.Layers.KeyHost {
			doc += ", and of two registries that have one of that name"
		}
		return []Row{
			{Name: "layers", Type: "P-340", Doc: fmt.Sprintf("%d at once over all pushes, the top one first", n)},
			{Name: "shared", Type: "P-341", Doc: doc},
		}
	}
	rows := []Row{{Name: "layers", Type: "P-190", Doc: "one after the other, the top one first"}}
	if e.Words.InProgress != "" {
		rows = append(rows, Row{Name: "second push", Type: "P-181, P-182", Doc: "of a name that is under way fails: " + fmt.Sprintf(e.Words.InProgress, "NAME")})
	}
	return rows
}

func uploadRows(e pusher.Era) []Row {
	body, rule := "is compressed while it is sent, again with each attempt", "P-367"
	switch {
	case e.Upload.Buffers:
		body, rule = "is compressed into a file first", "P-200"
	case e.Layers.Concurrency == 0:
		body, rule = "is compressed while it is sent; no file", "P-200"
	}
	requests, rules := "POST, one PATCH, PUT, HEAD", "P-366"
	if e.Layers.Concurrency == 0 {
		rules = "P-201, P-202, P-205"
	}
	if e.Upload.EmptyType {
		requests += "; POST has an empty Content-Type"
	}
	if e.Upload.ChunkType != "" {
		requests += "; PATCH has Content-Type " + e.Upload.ChunkType
	} else {
		requests += "; PATCH has no Content-Type"
	}
	rows := []Row{{Name: "uploads", Type: rules, Doc: requests}, {Name: "a layer", Type: rule, Doc: body}}
	switch {
	case e.Upload.ExactRange:
		rows = append(rows, Row{Name: "range", Type: "P-204", Doc: "must be of all that was sent"})
	case e.Layers.Concurrency == 0:
		rows = append(rows, Row{Name: "range", Type: "P-204", Doc: "must be there, and its numbers are not looked at"})
	default:
		rows = append(rows, Row{Name: "range", Type: "P-372", Doc: "is the layer's size in the manifest"})
	}
	if e.Upload.StrictStart {
		return append(rows, Row{Name: "a session", Type: "P-365", Doc: "is opened by 201 or 202 alone"})
	}
	return append(rows, Row{Name: "a session", Type: "P-201", Doc: "is opened by any status from 200 to 399"})
}

func retryRows(e pusher.Era) []Row {
	r := e.Layers.Retry
	if r.Attempts < 2 {
		return []Row{{Name: "retries", Type: "P-208", Doc: "none"}}
	}
	var waits []string
	for n := 1; n < r.Attempts; n++ {
		waits = append(waits, fmt.Sprint(int(r.Step.Seconds())*n))
	}
	final := make([]string, len(r.Final))
	for i, code := range r.Final {
		final[i] = string(code)
	}
	final = append(final, "a 4xx that cannot be read", fmt.Sprintf("%q", r.FinalText))
	if r.FinalAuth {
		final = append(final, "missing credentials or token")
	}
	if r.FinalUnknown {
		final = append(final, "a blob that is not there after its upload")
	}
	return []Row{
		{Name: "retries", Type: "P-343", Doc: fmt.Sprintf("a layer is tried %d times, after %s s", r.Attempts, strings.Join(waits, ", "))},
		{Name: "not retried", Type: "P-345", Doc: strings.Join(final, ", ")},
		{Name: "tried once", Type: "P-344", Doc: "the ping, the config and the manifest"},
	}
}

// searchRows say how what is known of a layer is used.
func searchRows(l pusher.LayerRules) []Row {
	s := l.Search
	if len(s.Budgets) > 0 {
		return memoryRows(s)
	}
	rows := []Row{{Name: "known layers", Type: "P-195", Doc: "are asked for by the digest that they had; an answer that is neither yes nor no ends the push"}}
	if l.KeepsFirstDigest {
		rows = append(rows, Row{Name: "a digest", Type: "P-199", Doc: "once kept stays, whatever the layer has become"})
	} else {
		rows = append(rows, Row{Name: "a digest", Type: "P-199", Doc: "is kept anew whenever it is another"})
	}
	if l.AsksOnce {
		rows = append(rows, Row{Name: "digests of a push", Type: "P-191", Doc: "are a set: one that was seen is not asked for again, and nothing is said of its layer"})
	}
	return rows
}

// memoryRows say how what is kept by diffID is used (P-355 to P-363).
func memoryRows(s pusher.SearchRules) []Row {
	known, mounts := Row{Name: "known layers", Type: "P-360"}, Row{Name: "mounts", Type: "P-359"}
	first := "all digests known in the target are asked for"
	switch {
	case s.FirstAny:
		first = "a digest known of any repository is asked for first"
	case s.FirstChecks > 0:
		first = "a digest known in the target is asked for first"
	default:
		known.Type = "P-356"
	}
	known.Doc = first + "; an answer that is neither yes nor no is ignored"
	if s.CheckFails {
		known.Doc = first + ", the oldest first; an answer that is neither yes nor no ends the attempt"
	}
	rows := []Row{{Name: "memory", Type: "P-355", Doc: "V2 metadata by diffID: under which digests, in which repositories a layer was seen"}, known}
	order := map[pusher.SearchOrder]string{
		pusher.OldestFirst: "the oldest first", pusher.YoungestFirst: "the youngest first", pusher.MostAlike: "the most alike name first",
	}[s.Order]
	if s.Order != pusher.MostAlike {
		mounts.Type = "P-358"
		if s.Fails {
			mounts.Type = "P-357"
		}
	}
	mounts.Doc = "from so many repositories at most: " + budgetWords(s.Budgets, func(b pusher.SearchBudget) int { return b.Mounts }) + "; " + order
	if s.Target {
		mounts.Doc += ", the target too"
	}
	if s.Fails {
		mounts.Doc += "; a refusal ends the attempt"
	} else {
		mounts.Doc += "; a refusal tries the next"
	}
	rows = append(rows, mounts)
	if last := s.Budgets[len(s.Budgets)-1]; last.Checks > 0 {
		text := "so many of a layer at most, the first included: " + budgetWords(s.Budgets, func(b pusher.SearchBudget) int { return b.Checks })
		if last.Any {
			text += ", there of any repository"
		}
		rows = append(rows, Row{Name: "HEADs", Type: "P-359", Doc: text})
	}
	if s.Signs {
		rows = append(rows, Row{Name: "signed", Type: "P-361, P-362", Doc: "memory has an HMAC of the user's credentials; what the same user saw comes first"})
	}
	if s.Restarts {
		rows = append(rows, Row{Name: "doubled sessions", Type: "P-363", Doc: "are cancelled when a second mount opens another"})
	}
	if s.KeepRefused {
		rows = append(rows, Row{Name: "a refused mount", Type: "P-363", Doc: "is not forgotten where the user gave no credentials"})
	}
	return rows
}

// budgetWords are a figure for each size of a layer.
func budgetWords(budgets []pusher.SearchBudget, figure func(pusher.SearchBudget) int) string {
	var words []string
	for _, b := range budgets {
		text := strconv.Itoa(figure(b))
		switch {
		case b.UpTo > 0:
			text += " up to " + sizeWords(b.UpTo)
		case len(budgets) > 1:
			text += " above"
		}
		words = append(words, text)
	}
	return strings.Join(words, ", ")
}

func speaksV1(e pusher.Era) bool {
	return slices.ContainsFunc(e.Endpoints, func(r pusher.EndpointRule) bool { return r.Version == pusher.V1 })
}
