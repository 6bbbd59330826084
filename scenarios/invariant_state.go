package scenarios

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// truth: a reported success is one.
func truth(p *seenPush) []finding {
	var found []finding
	for _, tag := range p.claimed() {
		got := p.after.tags[tagKey(p.repository, tag)]
		why := ""
		switch {
		case !got.found:
			why = "is not there"
		case got.broken != "":
			why = "is broken: " + got.broken
		default:
			if why = isImage(got, p.contents, p.top(tag)); why != "" {
				why = "names something else: " + why
			} else if d := p.publishedDigest(tag); d != "" && d != got.digest && d != got.payload {
				why = fmt.Sprintf("has digest %s, not %s as reported", short(string(got.digest)), short(string(d)))
			}
		}
		if why != "" {
			found = append(found, finding{broken: "the push of tag " + tag + " was reported as a success, but it " + why, rules: append(p.believes(), p.skims()...)})
		}
	}
	return append(found, doubted(p)...)
}

// doubted are the tags for which the registry's word was good and its state is
// not, and that were not reported as a success all the same: the client looked.
func doubted(p *seenPush) []finding {
	var found []finding
	for _, tag := range p.tags {
		taken := slices.ContainsFunc(p.trace, func(e seen) bool {
			return e.Route.Op == wire.OpManifestPut && e.Route.Tag == tag && e.succeeded()
		})
		if got := p.after.tags[tagKey(p.repository, tag)]; taken && !got.found && !slices.Contains(p.claimed(), tag) {
			found = append(found, finding{rules: p.believes()})
		}
	}
	return found
}

// believes are the rules by which a client takes the registry's word in this
// push: the answer to a manifest is not read (P-222), a HEAD is believed (P-198).
func (p *seenPush) believes() []string {
	var rules []string
	for _, f := range p.firings {
		switch {
		case strings.HasPrefix(f.fault, "commit-"), f.fault == "manifest-rewritten", f.fault == "tag-race":
			rules = append(rules, "P-222", "P-374")
		case f.fault == "head-lies" || f.fault == "gc-strikes":
			rules = append(rules, "P-198")
		case f.op == wire.OpManifestPut && f.fault == "corrupt":
			rules = append(rules, "P-374") // it tells of other bytes, and says so
		}
	}
	for _, e := range p.trace {
		if e.Route.Op == wire.OpManifestPut && e.Response.Status >= 300 && e.Response.Status < 400 {
			rules = append(rules, "P-230") // a redirect counts as success
		}
	}
	return rules
}

// skims are the rules by which a status is all that a client reads of the answer to a
// manifest: it breaks off there, without a header that others want (P-374, P-397).
func (p *seenPush) skims() []string {
	for _, f := range p.firings {
		if f.op == wire.OpManifestPut && f.fault == "bad-chunk" {
			return []string{"P-222"}
		}
	}
	return nil
}

// claimed are the tags whose push was reported as a success.
func (p *seenPush) claimed() []string {
	if p.succeeded() {
		return p.tags
	}
	var tags []string
	for _, t := range p.published {
		tags = append(tags, t.Tag)
	}
	return tags
}

func (p *seenPush) publishedDigest(tag string) digest.Digest {
	i := slices.IndexFunc(p.published, func(x pusher.Published) bool { return x.Tag == tag })
	if i < 0 {
		return ""
	}
	return digest.Digest(p.published[i].Digest)
}

// top is the name of the layer that a tag stands for; "" is the whole image.
func (p *seenPush) top(tag string) string { return p.contents.tops[tag] }

// noHalfTag: after a failure the tag is as it was.
func noHalfTag(p *seenPush) []finding {
	if p.succeeded() {
		return nil
	}
	var found []finding
	for _, tag := range p.tags {
		if slices.Contains(p.claimed(), tag) {
			continue
		}
		before, after := p.before.tags[tagKey(p.repository, tag)], p.after.tags[tagKey(p.repository, tag)]
		if after.same(before) {
			continue
		}
		if f, ok := p.committed(tag, after); ok {
			found = append(found, finding{note: "ambiguous: " + f + " struck after the registry had taken tag " + tag})
			continue
		}
		found = append(found, finding{broken: fmt.Sprintf("the push failed, but tag %s changed: it named %s and now names %s", tag, nameOf(before), nameOf(after))})
	}
	return found
}

// committed names a fault for which the client cannot know whether the registry has
// taken a tag, which names what is there by now: it struck although the registry had
// done what was asked last, or it kept from the client, who looked again, what it had.
// A look that shows the tag, however late, leaves no doubt.
func (p *seenPush) committed(tag string, there tagState) (string, bool) {
	taken, shown := p.takenAt(tag, there)
	for _, f := range p.firings {
		if look := f.op == wire.OpManifestHead || f.op == wire.OpManifestGet; look && taken > 0 && f.seq > taken && !shown {
			return f.fault, true
		}
		last := f.op == wire.OpManifestPut || f.op == wire.OpV1TagPut || f.op == wire.OpV1ImagesPut
		if last && (f.done || strings.HasPrefix(f.fault, "commit-")) && (f.tag == "" || f.tag == tag) {
			return f.fault, true
		}
	}
	return "", false
}

// takenAt is the exchange with which the registry took a tag last, 0 when it did not,
// and whether the client has seen since that the tag names what it does.
func (p *seenPush) takenAt(tag string, there tagState) (taken int, shown bool) {
	for _, e := range p.trace {
		switch e.Route.Op {
		case wire.OpManifestPut:
			if e.Route.Tag == tag && e.Response.Status == http.StatusCreated {
				taken, shown = e.Seq, false
			}
		case wire.OpManifestHead, wire.OpManifestGet:
			said := digest.Digest(e.Response.Header.Get("Docker-Content-Digest"))
			shows := said != "" && (said == there.digest || said == there.payload) || e.Response.Body.Digest == there.digest
			shown = shown || e.Route.Tag == tag && e.Response.Status == http.StatusOK && e.Failure == wire.FailureNone && shows
		default:
		}
	}
	return taken, shown && taken > 0
}

// blobsFirst: what a manifest names was confirmed before.
func blobsFirst(p *seenPush) []finding {
	confirmed, held := map[digest.Digest]bool{}, map[digest.Digest]bool{}
	var found []finding
	for _, e := range p.trace {
		switch {
		case confirms(e):
			confirmed[e.content] = true
		case e.Route.Digest != "" && (e.Route.Op == wire.OpManifestPut || e.Route.Op == wire.OpManifestHead) && e.succeeded():
			confirmed[e.Route.Digest] = true
			held[e.Route.Digest] = held[e.Route.Digest] || e.Route.Op == wire.OpManifestHead // with all below it
		case e.Route.Op == wire.OpManifestPut && e.Route.Tag != "" && e.reached():
			for _, l := range p.needed(e.Route.Tag) {
				if !confirmed[l.digest] && !held[l.of] && !l.foreign {
					found = append(found, finding{
						broken: fmt.Sprintf("the manifest of tag %s was put before %s was confirmed", e.Route.Tag, l.name), seq: e.Seq,
					})
				}
			}
		}
	}
	return found
}

// confirms reports whether an answer says that the registry has e's content.
func confirms(e seen) bool {
	if e.content == "" {
		return false
	}
	switch e.Route.Op {
	case wire.OpBlobHead, wire.OpBlobGet:
		return e.succeeded()
	case wire.OpUploadPut:
		return e.succeeded()
	case wire.OpUploadMount:
		return e.Response.Status == 201
	default:
		return false
	}
}

// needed is what must be there before the manifest or the index of a tag is.
func (p *seenPush) needed(tag string) []content {
	if p.top(tag) == "" && p.contents.below != nil {
		return p.contents.below
	}
	return p.contents.upTo(p.top(tag))
}

// upTo are the layers up to the one of a name, bottom first; all for "".
func (c *contents) upTo(top string) []content {
	for i, l := range c.layers {
		if l.name == top {
			return c.layers[:i+1]
		}
	}
	return c.layers
}
