package replay

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
)

// step plays one step and compares.
func (st *stage) step(ctx context.Context, step *recording.Step) Verdict {
	if st.aCommand(step) {
		return st.command(ctx, step)
	}
	v := Verdict{Scenario: step.Scenario, Step: step.Name, Path: step.Path}
	if err := playable(step); err != nil {
		v.Unplayable = err
		return v
	}
	host := st.server.host()
	st.restore()
	before := tagsBefore(step, st.tagsOf(step.Input.Name), st.chain)
	before.absent = absentLayers(step, before, st.chain)
	var after map[string]digest.Digest
	before.digests, after = readCache(step, before, st.present(before.absent), st.carry)
	repository := onHost(step.Input.Name, host)
	if err := st.arrange(repository, before); err != nil {
		v.Unplayable = err
		return v
	}
	sc := newScript(step, host)
	client, err := st.client(step, host, sc.tls)
	if err != nil {
		v.Unplayable = err
		return v
	}
	st.server.play(sc)
	p := &pushes{step: step, client: client, repository: repository, order: before.order, clock: st.clock, era: st.options.Era}
	p.run(ctx)
	st.server.settle()

	c := &comparison{step: step, host: host}
	c.wire(sc.took())
	c.streams(p.streams())
	c.errors(p.errs)
	st.carry = st.cache()
	c.cache(after, st.carry)
	v.Diffs = c.diffs
	for _, why := range c.reasons {
		v.Reasons = append(v.Reasons, string(why))
	}
	return v
}

// playable says why a step cannot be played; nil when it can.
func playable(step *recording.Step) error {
	if step.Unreadable != nil {
		return step.Unreadable
	}
	if len(step.Input.Argv) > 0 {
		return fmt.Errorf("the client was run as a command (%s): which era it is, and its state, is not recorded", strings.Join(step.Input.Argv, " "))
	}
	for _, e := range step.Exchanges {
		if e.Event != "" && e.Event != recording.EventPlainHello && e.Event != recording.EventNoRequest && !speaksTLS(step) {
			return fmt.Errorf("exchange %d: event %s is not known", e.Seq, e.Event)
		}
	}
	return nil
}

// client makes the client of a step.
func (st *stage) client(step *recording.Step, host string, speaksTLS bool) (*pusher.Client, error) {
	conf := pusher.Config{
		Era:     st.options.Era,
		Images:  st.images,
		V2Only:  step.Input.V2Only,
		TempDir: st.dir,
		Clock:   st.clock,
	}
	if step.Input.Secure {
		conf.Secure = []string{host}
		conf.CertsDir = filepath.Join(st.dir, "certs.d")
		if err := st.trust(host, speaksTLS && answered(step)); err != nil {
			return nil, err
		}
	}
	return pusher.New(conf)
}

// answered tells whether any request came through.
func answered(step *recording.Step) bool {
	return slices.ContainsFunc(step.Exchanges, func(e recording.Exchange) bool { return e.Event == "" })
}

// trust puts the server's root where docker looks for it, or takes it away.
func (st *stage) trust(host string, trusted bool) error {
	dir := filepath.Join(st.dir, "certs.d", host)
	if !trusted {
		return os.RemoveAll(dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "ca.crt"), st.root, 0o600)
}

// pushes are the pushes of one step.
type pushes struct {
	step       *recording.Step
	client     *pusher.Client
	repository string
	order      []string // of the tags
	clock      clock.Clock
	era        pusher.Era

	out  []bytes.Buffer // a stream for each
	errs []error
}

// run pushes as often as the step did, in turn or at once.
func (p *pushes) run(ctx context.Context) {
	in := p.step.Input
	at, turns := max(1, int(in.Concurrent)), max(1, int(in.Repeat))
	p.out, p.errs = make([]bytes.Buffer, at*turns), make([]error, at*turns)
	for turn := range turns {
		var begun, ended sync.WaitGroup
		begun.Add(at)
		all := p.clock.Work() // time stands still until all have begun
		for i := range at {
			ended.Go(func() {
				once := sync.OnceFunc(begun.Done)
				defer once()
				p.push(ctx, turn*at+i, once)
			})
		}
		begun.Wait()
		all()
		ended.Wait()
	}
}

// push is one push. begun is called with its first word.
func (p *pushes) push(ctx context.Context, i int, begun func()) {
	in := p.step.Input
	stream := pusher.NewStream(&p.out[i], p.era)
	_, p.errs[i] = p.client.Push(ctx, p.repository, in.Tag, pusher.Options{
		Credentials: pusher.Credentials{Username: in.User, Password: in.Pass},
		Meta:        meta(in.Meta),
		TagOrder:    p.order,
		Progress: func(e pusher.Event) {
			begun()
			_ = stream.Write(e) // a buffer takes everything
		},
	})
}

func (p *pushes) streams() [][]byte {
	var list [][]byte
	for i := range p.out {
		list = append(list, p.out[i].Bytes())
	}
	return list
}

// meta is the header of "Foo=bar".
func meta(s string) http.Header {
	name, value, found := strings.Cut(s, "=")
	if !found {
		return nil
	}
	if !strings.HasPrefix(strings.ToLower(name), "x-meta-") {
		name = "X-Meta-" + name
	}
	return http.Header{http.CanonicalHeaderKey(name): {value}}
}

// errors compares the last error with the recorded one, and whether there was one.
func (c *comparison) errors(errs []error) {
	var texts []string
	for _, err := range errs {
		if err != nil {
			texts = append(texts, toHost(err.Error(), c.host))
		}
	}
	recorded := c.step.Error
	if recorded == "" && len(texts) == 0 {
		return
	}
	for _, text := range slices.Backward(texts) {
		if same, why := sameError(recorded, text); same {
			c.excuse(why)
			return
		}
	}
	played := "none"
	if len(texts) > 0 {
		played = texts[len(texts)-1]
	}
	if recorded == "" {
		recorded = "none"
	}
	c.differ("error", recorded, played)
}

// cache compares the digest caches.
func (c *comparison) cache(recorded, played map[string]digest.Digest) {
	if maps.Equal(recorded, played) {
		return
	}
	ids := slices.Sorted(maps.Keys(recorded))
	for id := range played {
		if _, ok := recorded[id]; !ok {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if recorded[id] != played[id] {
			c.differ("digest cache of layer "+id, orNone(recorded[id]), orNone(played[id]))
		}
	}
}

func orNone(d digest.Digest) string {
	if d == "" {
		return "not set"
	}
	return d.String()
}
