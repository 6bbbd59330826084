package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
)

// courses say which exchange of a recording was for which layer. Layers go side by
// side, and which of them a fault met is chance: played again, each must meet what
// it met then.
type courses struct {
	step  *recording.Step
	told  *told
	owner []string // by index of step.Exchanges: a layer, or one of the words below
	// known tells whether the client knew a layer's digest when the step began; nil
	// when that did not show. from is the repository it knew the layer in.
	known map[string]*bool
	from  map[string]string

	pinged      bool
	schema1     bool // it was let push schema 1
	credentials pusher.Credentials
}

// The owners that are no layer.
const (
	ownerBefore = "before"  // pings and tokens
	ownerAfter  = "after"   // config and manifest
	ownerAny    = "session" // a session was opened, by whichever layer
)

// readCourses finds out who did what.
func readCourses(step *recording.Step, told *told, img []layerOfImage) *courses {
	c := &courses{step: step, told: told, owner: make([]string, len(step.Exchanges)), known: map[string]*bool{}, from: map[string]string{}}
	byDigest := map[digest.Digest]layerOfImage{}
	for _, l := range img {
		byDigest[l.blob] = l
	}
	layers := true
	for i, e := range step.Exchanges {
		c.owner[i] = c.plain(e, byDigest, layers)
		if c.owner[i] == ownerAfter { // until the next tag's
			layers = routeOf(e.Method, e.Path).Op == wire.OpManifestPut && e.Status/100 == 2
		}
		if user, ok := userOf(e); ok {
			c.credentials = user
		}
		c.schema1 = c.schema1 || slices.ContainsFunc(e.ReqHeaders, func(h string) bool { return strings.HasSuffix(h, "prettyjws") })
	}
	c.bySession()
	c.struck(img)
	c.learn(img)
	return c
}

// plain is the owner of an exchange that says it by itself; "" when it does not.
func (c *courses) plain(e recording.Exchange, byDigest map[digest.Digest]layerOfImage, layers bool) string {
	r := routeOf(e.Method, e.Path)
	switch {
	case e.Event != "":
		return ownerBefore
	case r.Op == wire.OpPing:
		c.pinged = true
		return ownerBefore
	case asksForToken(e.Method, e.Path):
		return ownerBefore
	}
	d := r.Digest
	if e.Method == "PATCH" && e.ReqSHA256 != "" {
		d = digest.Digest("sha256:" + e.ReqSHA256)
	}
	if l, ok := byDigest[d]; ok && layers {
		return l.short
	}
	for _, h := range e.ReqHeaders { // a redirected request
		if from, ok := strings.CutPrefix(h, "Referer: "); ok {
			for d, l := range byDigest {
				if layers && strings.Contains(from, d.Encoded()) {
					return l.short
				}
			}
		}
	}
	if !layers || d != "" && r.Op == wire.OpBlobHead || r.Op == wire.OpManifestPut {
		return ownerAfter
	}
	return ""
}

// tags are the names of so many tags in their order: those whose manifest was put,
// and for one whose turn did not come a name that sorts behind them.
func (c *courses) tags(t target, n int) []string {
	if t.tag != "" {
		if len(c.told.order) == 0 && !c.told.quiet {
			return []string{"another"} // it found out that there is no such tag
		}
		return []string{t.tag}
	}
	var tags []string
	for _, e := range c.step.Exchanges {
		if r := routeOf(e.Method, e.Path); r.Op == wire.OpManifestPut && !slices.Contains(tags, r.Tag) {
			tags = append(tags, r.Tag)
		}
	}
	for len(tags) < n {
		tags = append(tags, fmt.Sprintf("zz%d", len(tags)))
	}
	return tags[:n]
}

// asksForToken tells a request to a token service.
func asksForToken(method, path string) bool {
	return routeOf(method, path).Op == wire.OpToken || !strings.HasPrefix(path, "/v2/") && method == "GET"
}

// tokens tells whether a request for a token failed, and whether one was of use.
func (c *courses) tokens() (failed, granted bool) {
	asked, useful := 0, 0
	for _, e := range c.step.Exchanges {
		if e.Event == "" && asksForToken(e.Method, e.Path) && routeOf(e.Method, e.Path).Op != wire.OpPing {
			asked++
			if e.Status/100 == 2 {
				useful++
			}
		}
		granted = granted || slices.ContainsFunc(e.ReqHeaders, func(h string) bool { return strings.HasPrefix(h, "Authorization: Bearer ") })
	}
	return asked > 0 && (!granted || useful < asked), granted
}

// lastTokens are how many requests for tokens there must be when a layer ended the
// push: one for each of its attempts. How many of the others' came before that is
// a race. ok is false when no layer did, or when a token was granted, which all
// layers share.
func (c *courses) lastTokens() (n int, ok bool) {
	failing := c.told.failing()
	failed, granted := c.tokens()
	return c.told.retries(failing) + 1, failing != "" && failed && !granted
}

// bySession gives a POST to who used the session that it opened, where sessions
// have names of their own.
func (c *courses) bySession() {
	user := map[string]string{}
	for i, e := range c.step.Exchanges {
		if r := routeOf(e.Method, e.Path); r.Op == wire.OpUploadPatch && c.owner[i] != "" && r.Session != "UUID" {
			user[r.Session] = c.owner[i]
		}
	}
	for i, e := range c.step.Exchanges {
		if c.owner[i] != "" || e.Method != "POST" {
			continue
		}
		if u := user[routeOf("PATCH", locationPath(e)).Session]; u != "" && e.Status/100 == 2 {
			c.owner[i] = u
		}
	}
}

// struck finds out whom faults met that say nothing of it: layers that were tried
// more often than they sent a body, those that a body fits first.
func (c *courses) struck(img []layerOfImage) { //nolint:gocognit // one pass over all that was recorded
	lacks := map[string]int{} // attempts without a body
	spare := map[string]int{} // those of layers that were given up
	for _, l := range img {
		if attempts := c.told.retries(l.short) + 1; c.told.cut(l.short) && !c.told.done(l.short) {
			spare[l.short] = attempts
		} else {
			lacks[l.short] = attempts
		}
	}
	for i, e := range c.step.Exchanges {
		if e.Method == "PATCH" && e.ReqSHA256 != "" {
			lacks[c.owner[i]]--
			spare[c.owner[i]]--
		}
	}
	for _, method := range [...]string{"PATCH", "POST"} {
		for i, e := range c.step.Exchanges {
			if c.owner[i] != "" || e.Method != method {
				continue
			}
			if method == "POST" && e.Status/100 == 2 {
				c.owner[i] = ownerAny
				continue
			}
			if strings.Contains(e.Err, "request body") {
				c.owner[i] = c.givenUp(img, e)
				continue
			}
			if c.owner[i] = mostLacking(img, lacks, e.ReqLen); c.owner[i] == "" {
				c.owner[i] = mostLacking(img, spare, e.ReqLen)
			}
			lacks[c.owner[i]]--
			spare[c.owner[i]]--
		}
	}
	for i := range c.owner {
		c.owner[i] = cmp.Or(c.owner[i], ownerBefore)
	}
}

// givenUp is a layer that was given up and whose body was cut: one that fits.
func (c *courses) givenUp(img []layerOfImage, e recording.Exchange) string {
	for _, l := range img {
		if c.told.cut(l.short) && l.size >= e.ReqLen {
			return l.short
		}
	}
	return ownerBefore
}

// mostLacking is the layer with the most attempts that nothing accounts for.
func mostLacking(img []layerOfImage, lacks map[string]int, size int64) string {
	best := ""
	for _, l := range img {
		if l.size >= size && lacks[l.short] > lacks[best] {
			best = l.short
		}
	}
	return best
}

// learn finds out what the client knew of layers: whoever asks for a digest first
// knew it, whoever opens a session at once did not.
func (c *courses) learn(img []layerOfImage) {
	yes, no := true, false
	for _, l := range img {
		for _, i := range c.of(l.short) {
			e := c.step.Exchanges[i]
			r := routeOf(e.Method, e.Path)
			if c.known[l.short] == nil {
				c.known[l.short] = &no
				if r.Op == wire.OpBlobHead || r.Op == wire.OpUploadMount {
					c.known[l.short] = &yes
				}
			}
			if r.Op == wire.OpUploadMount && c.from[l.short] == "" {
				c.from[l.short] = r.From
			}
		}
	}
}

// of are the exchanges of an owner, in order.
func (c *courses) of(owner string) []int {
	var list []int
	for i, o := range c.owner {
		if o == owner {
			list = append(list, i)
		}
	}
	return list
}
