package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// push does one push and notes all that is seen of it.
func (w *world) push(ctx context.Context, i int, step Step, c changes) (*seenPush, error) {
	p := &seenPush{
		step: i, part: partIndex("steps", i) + ".expect", era: w.era, login: w.login(), contents: w.contents,
		registry: w.addresses(), realms: w.realms(),
	}
	switch {
	case step.Expect != nil:
		p.expect = *step.Expect
	case i == lastPush(w.s):
		p.part, p.expect = "expect", w.s.Expect
	case step.Verb == VerbCancel:
		p.expect.Result = ResultCancelled
	}
	repository, tag, _ := splitReference(step.Push)
	p.repository = repository
	local := w.hosts[0].address() + "/" + repository
	if err := w.tagLocally(local, tag); err != nil {
		return nil, err
	}
	p.tags = w.wanted(local, tag)
	for name, n := range w.s.Image.Tags {
		if n > 0 {
			w.contents.tops[name] = fmt.Sprintf("layer%d", n)
		}
	}
	end, err := w.declare(step.Faults, partIndex("steps", i)+".faults")
	if err != nil {
		return nil, err
	}
	defer end()
	asked := w.question(p)
	p.before = w.inspect(ctx, question{tags: asked.tags, names: true})
	from := len(w.trace())
	p.start = w.elapsed()
	if err := w.runClient(ctx, local, tag, step, p, c.mistake); err != nil {
		return p, err
	}
	trace := w.trace()[from:]
	if c.trace != nil {
		trace = c.trace(trace)
	}
	w.hosts[0].server.Event("push-ended")
	w.tellFaults()
	p.leftovers = w.leftovers(context.WithoutCancel(ctx))
	p.trace = w.contents.annotate(w.join(trace))
	w.nameActors(p.trace)
	if w.foreign != nil {
		w.recognise(context.WithoutCancel(ctx), p)
		asked = w.question(p)
	}
	p.after = w.inspect(context.WithoutCancel(ctx), asked)
	p.realms = w.realms() // of a registry of somebody else's they are known by now
	p.cache, p.log = w.readCache(), w.log.String()
	if p.foreign != nil {
		p.log = p.foreign.output // what it showed is all that is known of it
	}
	p.firings = w.firings(p.trace)
	return p, nil
}

// runClient lets the client push, whoever it is, and notes how it ended.
//
// Errors: what kept a foreign client from running.
func (w *world) runClient(ctx context.Context, local, tag string, step Step, p *seenPush, m mistake) error {
	if w.foreign != nil {
		err := w.foreignNow(ctx, step, p)
		w.settled(context.WithoutCancel(ctx))
		return err
	}
	result, err := w.pushNow(ctx, local, tag, step, p, m)
	p.end = w.elapsed()
	w.settled(context.WithoutCancel(ctx))
	p.err = err
	p.hung = errors.Is(ctx.Err(), context.DeadlineExceeded)
	p.via, p.published = result.Via, result.Published
	return nil
}

// nameActors says on whose behalf each exchange was, where that is known.
func (w *world) nameActors(trace []seen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range trace {
		trace[i].actor = w.actors[trace[i].Link]
	}
}

// pushNow runs the client.
func (w *world) pushNow(ctx context.Context, local, tag string, step Step, p *seenPush, m mistake) (*pusher.Result, error) {
	show := func(e pusher.Event) {
		p.events = append(p.events, e)
		if w.observer.progress != nil {
			w.observer.progress(w.progressOf(e))
		}
	}
	o := pusher.Options{Meta: http.Header{}, Progress: m.shown(show)}
	for _, name := range sortedKeys(w.s.Client.Meta) {
		o.Meta.Set(name, w.s.Client.Meta[name])
	}
	if l := w.login(); l != nil {
		o.Credentials = pusher.Credentials{Username: l.User, Password: l.Password}
	}
	var err error
	if o.Platform, err = w.platform(); err != nil {
		return &pusher.Result{}, err
	}
	if step.Verb != VerbCancel {
		result, err := w.client.Push(ctx, local, tag, o)
		return m.ended(ended{result, err, show, filepath.Join(w.dir, "buffers")})
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := clock.NewGroup(w.time())
	ended := make(chan struct{})
	var gaveUp atomic.Bool
	if step.Wait > 0 {
		timer.Go(func() {
			if w.time().Sleep(own, step.Wait) == nil {
				gaveUp.Store(true)
				cancel()
				<-ended // time stands still until the client has noticed
			}
		})
	} else {
		w.setWatch(func(e wire.Exchange) {
			if selects(step.At, e) {
				gaveUp.Store(true)
				cancel()
			}
		})
		defer w.setWatch(nil)
	}
	result, err := w.client.Push(own, local, tag, o)
	close(ended)
	cancel()
	timer.Wait()
	p.cancelled = gaveUp.Load() && errors.Is(err, context.Canceled)
	return result, err
}

// lastPush is the index of the last step that pushes; -1 for none.
func lastPush(s *Scenario) int {
	for i, t := range slices.Backward(s.Steps) {
		if t.pushes() {
			return i
		}
	}
	return -1
}

// pushes reports whether a step is a push, one that is cancelled too.
func (t Step) pushes() bool {
	return t.Verb != VerbDelete && t.Verb != VerbRestart && t.Verb != VerbWait
}

// tagLocally fills the local map as the scenario wants it.
func (w *world) tagLocally(local, tag string) error {
	top := w.contents.layers[len(w.contents.layers)-1].id
	if w.s.Image.Tags == nil {
		if tag == "" {
			tag = "latest"
		}
		if strings.Contains(tag, ":") {
			return nil // a digest reference is never in the local map here
		}
		return w.store.TagContent(local, tag, top, w.index)
	}
	for _, name := range sortedKeys(w.s.Image.Tags) {
		id, index := top, w.index
		if n := w.s.Image.Tags[name]; n > 0 {
			id, index = w.contents.layers[n-1].id, ""
		}
		if err := w.store.TagContent(local, name, id, index); err != nil {
			return err
		}
	}
	return nil
}

// wanted are the tags that a push is asked for: one, or all of the local map.
func (w *world) wanted(local, tag string) []string {
	if tag != "" {
		return []string{tag}
	}
	tags, err := w.store.Tags(local)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(sortedKeys(tags), func(t string) bool { return strings.Contains(t, ":") })
}

// question is what must be known of the registry to judge a push.
func (w *world) question(p *seenPush) question {
	q := question{repo: p.repository}
	for _, tag := range p.tags {
		q.tags = append(q.tags, tagKey(p.repository, tag))
	}
	for _, l := range p.contents.layers {
		q.blobs = append(q.blobs, l.digest)
		q.images = append(q.images, l.v1ID)
	}
	if name := w.s.Image.Subject; name != "" {
		subject, _ := image.Subject(name)
		q.subject = subject.Digest
	}
	if st := p.expect.Registry; st != nil {
		for _, tag := range sortedKeys(st.Tags) {
			if key := tagKey(p.repository, tag); !slices.Contains(q.tags, key) {
				q.tags = append(q.tags, key)
			}
		}
		for _, name := range sortedKeys(st.Blobs) {
			if d, ok := p.contents.digestOf(name); ok && !slices.Contains(q.blobs, d) {
				q.blobs = append(q.blobs, d)
			}
		}
	}
	return q
}

// inspect reads the state of the first host, and of the others what it has not:
// a V1 index may send the images elsewhere.
func (w *world) inspect(ctx context.Context, q question) registryState {
	st := w.hosts[0].look.look(ctx, q)
	for _, h := range w.hosts[1:] {
		if h.look.v1 == nil {
			continue
		}
		other := h.look.look(ctx, q)
		for key, t := range other.tags {
			if !st.tags[key].found {
				st.tags[key] = t
			}
		}
		for id, state := range other.images {
			if orAbsent(st.images[id]) == "absent" {
				st.images[id] = state
			}
		}
	}
	return st
}

// join puts what struck at the servers into the client's trace.
func (w *world) join(trace wire.Trace) wire.Trace {
	for _, h := range w.hosts {
		trace = wire.Join(trace, withConnections(h.server.Trace(), h.server.Fired()))
	}
	return trace
}

// withConnections adds to a server's trace what struck connections over which no
// request has come to it, or not yet: whether one still comes of a connection that its
// client gave up is a matter of chance.
func withConnections(server wire.Trace, fired []fakeregistry.Firing) wire.Trace {
	links := map[string]int{} // that no request came over, by their place in server
	for _, e := range server {
		links[e.Link] = -1
	}
	for _, f := range fired {
		i, known := links[f.Link]
		switch {
		case f.Link == "", i < 0, f.Op != wire.OpConnect && f.Op != wire.OpTLS && f.Op != wire.OpToken:
		case known:
			server[i].Fault += "," + f.Fault
		default:
			links[f.Link] = len(server)
			server = append(server, wire.Exchange{Link: f.Link, Fault: f.Fault})
		}
	}
	return server
}

// firings ties what struck to the exchanges of a push: each to one that it marked.
func (w *world) firings(trace []seen) []firing {
	var list []firing
	taken := map[firingOf]bool{}
	for _, h := range w.hosts {
		for _, f := range h.server.Fired() {
			at := f.At.Sub(w.beginning())
			one := firing{fault: f.Fault, op: f.Op, done: f.Done}
			for _, e := range trace {
				if f.Link == "" || e.Link != f.Link || e.Route.Op != f.Op && f.Op != wire.OpConnect && f.Op != wire.OpTLS {
					continue
				}
				one.seq, one.tag = e.Seq, e.Route.Tag
				if key := (firingOf{f.Fault, e.Seq}); e.struckBy(f.Fault) && at >= e.At && at <= e.At+e.Elapsed && !taken[key] {
					taken[key] = true
					break
				}
			}
			if one.seq == 0 && (len(trace) == 0 || at < trace[0].At) {
				continue // of an earlier push
			}
			list = append(list, one)
		}
	}
	return list
}

// A firingOf is a fault at an exchange.
type firingOf struct {
	fault string
	seq   int
}

// struckBy reports whether a fault marked the exchange.
func (e seen) struckBy(fault string) bool { return slices.Contains(strings.Split(e.Fault, ","), fault) }

// closing is how much real time a connection may take to be closed after the push:
// net/http does it beside the one who waits for the answer.
const closing = 2 * time.Second

// leftovers are what outlived a push: connections, buffers on disk.
func (w *world) leftovers(ctx context.Context) []string {
	var list []string
	for patience := closing; w.conns.Load() > 0 && patience > 0; patience -= time.Millisecond {
		if clock.Real().Sleep(ctx, time.Millisecond) != nil {
			break
		}
	}
	if n := w.conns.Load(); n > 0 {
		list = append(list, plural(int(n), "connection"))
	}
	if entries, err := os.ReadDir(filepath.Join(w.dir, "buffers")); err == nil && len(entries) > 0 {
		list = append(list, "temporary file "+entries[0].Name())
	}
	return list
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// answerProbe asks one probe and keeps what it found.
func (w *world) answerProbe(ctx context.Context, i int, x Probe, repository string) {
	r := probeResult{index: i}
	look := w.hosts[0].look
	method := http.MethodGet
	if x.Op == wire.OpBlobHead || x.Op == wire.OpManifestHead {
		method = http.MethodHead
	}
	path := "/v2/" + repository + "/manifests/" + x.Content
	if x.Op == wire.OpBlobHead || x.Op == wire.OpBlobGet {
		d, _ := w.contents.digestOf(x.Content)
		path = "/v2/" + repository + "/blobs/" + d.String()
	}
	sum := digest.SHA256.Hash()
	answer := look.ask(ctx, method, path, sum)
	r.status, r.digest = answer.status, digest.NewDigest(digest.SHA256, sum)
	w.mu.Lock()
	w.probed = append(w.probed, r)
	w.mu.Unlock()
}

// timeout is the limit of a scenario, in its own time.
func timeout(s *Scenario) time.Duration {
	if s.Timeout > 0 {
		return s.Timeout
	}
	return time.Hour
}
