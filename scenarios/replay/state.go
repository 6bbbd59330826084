package replay

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/internal/schema1"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A state is what a client has of a repository, and the digest cache.
type state struct {
	known bool              // the repository exists locally
	tags  map[string]string // → image ID
	order []string          // in which the recorded client took its tags
	// digests is the digest cache, by layer ID. An entry may be anything at all:
	// the file of a real client held garbage now and then.
	digests map[string]digest.Digest
	// absent are layers that are not in the store although something refers to them.
	absent []string
}

// A chainFunc walks from an image to its base: the IDs of its layers, top first;
// nil when there is no such image.
type chainFunc func(image string) []string

// tagsBefore finds out which tags the client had, from what it did with them. of
// is where the tags of the recorded images point, as far as they are known.
func tagsBefore(step *recording.Step, of map[string]string, chain chainFunc) state {
	st := state{known: !strings.HasPrefix(step.Error, "Repository does not exist"), tags: map[string]string{}}
	if !st.known {
		return st
	}
	st.order = pushedTags(step, st.tags)
	for _, tag := range st.order {
		if len(chain(st.tags[tag])) == 0 {
			st.tags[tag] = of[tag]
		}
	}
	missing := strings.Contains(step.Error, "Tag does not exist for")
	missing = missing || strings.HasPrefix(step.Error, "No images found") && of[step.Input.Tag] == ""
	if step.Input.Tag != "" && !missing && st.tags[step.Input.Tag] == "" {
		st.tags[step.Input.Tag] = of[step.Input.Tag]
	}
	if image, ok := of["latest"]; ok && len(st.tags) == 0 && step.Input.Tag != "latest" {
		st.tags["latest"] = image // most recordings have nothing else
	}
	fill(&st, firstLine(step), of)
	if step.Input.Tag == "" {
		st.order = append(st.order, unpushed(step, st)...)
	}
	return st
}

// unpushed is the tags that the client did not come to push, in the order in
// which their images come up in the stream: the first tag's comes first.
func unpushed(step *recording.Step, st state) []string {
	var rest []string
	for _, tag := range slices.Sorted(maps.Keys(st.tags)) {
		if !slices.Contains(st.order, tag) && !strings.Contains(tag, ":") {
			rest = append(rest, tag)
		}
	}
	first := func(tag string) int {
		id := st.tags[tag]
		i := strings.Index(string(step.Stream), `"id":"`+id[:min(len(id), 12)])
		if i < 0 {
			return len(step.Stream)
		}
		return i
	}
	slices.SortStableFunc(rest, func(a, b string) int { return first(a) - first(b) })
	return rest
}

// absentLayers finds out which layers the client lacked: the image of a tag that
// it could not find (P-185), and the parent at which a manifest or an image list
// ends before the base (P-192).
func absentLayers(step *recording.Step, st state, chain chainFunc) []string {
	if strings.HasPrefix(step.Error, "could not find image") || strings.HasPrefix(step.Error, "No images found") {
		if image := st.tags[step.Input.Tag]; image != "" {
			return []string{image}
		}
	}
	var absent []string
	for _, e := range step.Exchanges {
		switch r := routeOf(e.Method, e.Path); r.Op {
		case wire.OpManifestPut:
			m, err := schema1.Decode([]byte(e.ReqBody))
			if layers := chain(st.tags[r.Tag]); err == nil && len(m.History) > 0 && len(m.History) < len(layers) {
				absent = append(absent, layers[len(m.History)])
			}
		case wire.OpV1RepoPut:
			if list := v1Entries(e.ReqBody); len(list) > 0 {
				if layers := chain(list[0].ID); len(layers) > 1 {
					absent = append(absent, layers[1]) // the list begins with the base
				}
			}
		}
	}
	return absent
}

// fill makes the repository as large as the first line of the stream says: with
// more tags, and then with digest references, which are never pushed.
func fill(st *state, n int, of map[string]string) {
	for _, tag := range slices.Sorted(maps.Keys(of)) {
		if len(st.tags) < n && st.tags[tag] == "" && of[tag] != "" && len(st.order) == 0 {
			st.tags[tag] = of[tag]
		}
	}
	var any string
	for _, image := range st.tags {
		any = image
	}
	for i := 0; len(st.tags) < n && any != ""; i++ {
		st.tags["sha256:"+strings.Repeat("0", 62)+string("0123456789abcdef"[i/16%16])+string("0123456789abcdef"[i%16])] = any
	}
}

// firstLine is how many tags the stream says there are, when all are pushed; 0
// otherwise: with a tag the line always says 1.
func firstLine(step *recording.Step) int {
	if step.Input.Tag != "" {
		return 0
	}
	_, rest, found := strings.Cut(string(step.Stream), "] (len: ")
	if !found {
		return 0
	}
	n := 0
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return min(n, 1000)
}

// pushedTags lists the tags that were pushed in their order, and notes the images
// that they turned out to point at.
func pushedTags(step *recording.Step, images map[string]string) []string {
	var order []string
	add := func(tag, image string) {
		if tag == "" {
			return
		}
		if !slices.Contains(order, tag) {
			order = append(order, tag)
		}
		if image != "" {
			images[tag] = image
		} else if _, ok := images[tag]; !ok {
			images[tag] = ""
		}
	}
	for _, e := range step.Exchanges {
		switch r := routeOf(e.Method, e.Path); r.Op {
		case wire.OpManifestPut:
			add(r.Tag, topOf(e.ReqBody))
		case wire.OpV1RepoPut:
			for _, entry := range v1Entries(e.ReqBody) {
				add(entry.Tag, entry.ID)
			}
		case wire.OpV1TagPut:
			add(r.Tag, strings.Trim(e.ReqBody, `"`))
		}
	}
	return order
}

type v1Entry struct{ ID, Tag string }

func v1Entries(body string) []v1Entry {
	var list []v1Entry
	_ = json.Unmarshal([]byte(body), &list) // what is no list names no tags
	return list
}

// topOf is the ID of the image that a schema 1 manifest is about; "" when it
// does not say.
func topOf(manifest string) string {
	m, err := schema1.Decode([]byte(manifest))
	if err != nil || len(m.History) == 0 {
		return ""
	}
	var top struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal([]byte(m.History[0].V1Compatibility), &top) // "" then
	return top.ID
}
