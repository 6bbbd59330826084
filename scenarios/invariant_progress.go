package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// pushedWords are the statuses by which an era says that the registry has a layer.
var pushedWords = [...]string{
	"Image successfully pushed", "Image already exists", "Image already pushed", "Pushed", "Layer already exists", "Mounted from", "Already exists",
}

// progressTruth: what is shown happened.
func progressTruth(p *seenPush) []finding {
	var found []finding
	for _, l := range p.contents.layers {
		for _, status := range shownOf(p.events, l) {
			if saysPushed(status) && !p.has(l) {
				found = append(found, finding{broken: fmt.Sprintf("%s was shown as %q, but the registry never said that it has it", l.name, status)})
			}
		}
		found = append(found, shownBytes(p, l)...)
	}
	return append(found, shownDigests(p)...)
}

func saysPushed(status string) bool {
	for _, word := range pushedWords {
		if strings.HasPrefix(status, word) {
			return true
		}
	}
	return false
}

// has reports whether the registry said, over either protocol, that it has l.
func (p *seenPush) has(l content) bool {
	for _, e := range p.trace {
		if e.content != l.digest && e.layer != l.name {
			continue
		}
		switch {
		case confirms(e):
			return true
		case e.Route.Op == wire.OpV1JSONGet && e.Response.Status == 200, e.Route.Op == wire.OpV1ChecksumPut && e.Response.Status == 200:
			return true
		case e.Route.Op == wire.OpV1JSONPut && strings.Contains(string(e.Response.Body.Head), "Image already exists"):
			return true
		}
	}
	return false
}

// shownBytes compares the largest number that was shown of a layer with what was
// sent of it. V1, and dockers that compress on the way, count the bytes of the tar (P-042,
// P-427). Where the registry answered
// before it had read everything, what was read for it was as good as sent.
func shownBytes(p *seenPush, l content) []finding {
	var shown, sent int64
	plain := false // the tar's bytes are counted, not the blob's (P-042)
	for _, e := range p.events {
		if l.shownAs(e.ID) && !strings.HasPrefix(e.Status, "Buffering") {
			shown = max(shown, e.Current)
			plain = plain || l.tar > 0 && e.Total == l.tar
		}
	}
	over1, early := false, false
	for _, e := range p.trace {
		if e.content == "" && (e.Route.Op == wire.OpUploadPatch || e.Route.Op == wire.OpOther) {
			early = true // it was cut before it could be seen whose it was
		}
		if e.layer == l.name || e.content == l.digest && e.content != "" {
			switch e.Route.Op {
			case wire.OpUploadPatch, wire.OpUploadPut, wire.OpOther:
				sent = max(sent, chunkStart(e)+e.Request.Body.Length)
				early = early || e.Response.Status >= 400
			case wire.OpV1LayerPut:
				sent, over1 = max(sent, e.Request.Body.Length), true
			}
		}
	}
	if over1 || plain && (sent > 0 || early) {
		sent = max(sent, l.tar)
	}
	if early {
		sent = max(sent, l.size)
	}
	if shown > sent {
		return []finding{{broken: fmt.Sprintf("%d bytes of %s were shown, but %d were sent", shown, l.name, sent)}}
	}
	return nil
}

// chunkStart is where in its blob the body of a request begins.
func chunkStart(e seen) int64 {
	first, _, _ := strings.Cut(e.Request.Header.Get("Content-Range"), "-")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// shownDigests: a tag's digest line is shown for a manifest that the registry
// took. Docker 1.8 shows it before the PUT (P-207).
func shownDigests(p *seenPush) []finding {
	var found []finding
	for _, e := range p.events {
		tag, rest, ok := strings.Cut(e.Status, ": digest: ")
		if !ok {
			continue
		}
		taken, asked := false, 0
		for _, x := range p.trace {
			if x.Route.Op == wire.OpManifestPut && x.Route.Tag == tag {
				asked = x.Seq
				taken = taken || x.succeeded()
			}
			if x.Route.Op == wire.OpManifestHead && x.Route.Tag == tag && x.Response.Status == 200 {
				taken = taken || strings.HasPrefix(rest, x.Response.Header.Get("Docker-Content-Digest")+" ") // it was there
			}
		}
		if !taken {
			d, _, _ := strings.Cut(rest, " ")
			found = append(found, finding{
				broken: fmt.Sprintf("digest %s of tag %s was shown, but the registry did not take the manifest", short(d), tag),
				rules:  []string{"P-207"}, seq: asked,
			})
		}
	}
	for _, e := range p.trace { // refused, and its digest was not shown before
		if e.Route.Op == wire.OpManifestPut && e.Response.Status >= 400 && !p.showedDigest(e.Route.Tag) {
			found = append(found, finding{rules: []string{"P-207"}})
		}
	}
	return found
}

// showedDigest reports whether a tag's digest line was shown.
func (p *seenPush) showedDigest(tag string) bool {
	return slices.ContainsFunc(p.events, func(e pusher.Event) bool { return strings.HasPrefix(e.Status, tag+": digest: ") })
}
