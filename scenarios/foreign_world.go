package scenarios

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A foreignRun is a foreign client in one run of a scenario.
type foreignRun struct {
	adapter Adapter
	box     *sandbox
	limit   time.Duration // of one push
	ended   func()        // ends the service; nil without one
	version string
	imageID string
	allArgs []string // what ${ARGS} stands for
	env     map[string]string

	said []string // what the client wrote, push by push
}

// newForeignWorld builds a world for a client of somebody else: on real time, over
// real sockets, without a pusher of ours. The caller closes it, also after an error.
func newForeignWorld(ctx context.Context, s *Scenario, seed uint64, dir string, r *Runner, o observer) (*world, error) {
	w := emptyWorld(s, seed, dir)
	w.served, w.observer = clock.Real(), o
	if err := w.images(ctx); err != nil {
		return w, fmt.Errorf("image: %w", err)
	}
	w.epoch = w.served.Now()
	config := func(host int, c *fakeregistry.Config) {
		c.Observe = w.notify
		w.began = append(w.began, w.served.Now().Sub(w.epoch))
		if r.changes.config != nil {
			r.changes.config(host, c)
		}
	}
	if err := w.start(w.logger(r.Log), changes{registry: r.changes.registry, config: config}); err != nil {
		return w, err
	}
	w.recorder = w.hosts[0].server.Recorder()
	return w, w.lodge(ctx, r)
}

// lodge gives the client its sandbox, the image and its service.
func (w *world) lodge(ctx context.Context, r *Runner) error {
	a, version := ownProgram(w.s.Client), ""
	if w.s.Client.Adapter != "" {
		found := r.Foreign.Find(ctx, w.s.Client.Adapter)
		a, version = found.Adapter, found.Version
	}
	box, err := newSandbox(r.TempDir)
	if err != nil {
		return err
	}
	box.path = r.Foreign.Path
	w.foreign = &foreignRun{adapter: a, box: box, limit: r.foreignLimit(w.s), version: version}
	ref := w.s.Steps[lastPush(w.s)].Push
	_, tag, _ := splitReference(ref)
	layout := box.below("image/layout")
	l := layoutWriter{
		w: w, dir: layout, docker: w.s.Image.Media == "docker" || !slices.Contains(a.Can, "oci"),
		name: tag, ref: w.hosts[0].address() + "/" + ref,
	}
	if w.foreign.imageID, err = l.write(); err != nil {
		return fmt.Errorf("image for %s: %w", a.Name, err)
	}
	if err := pack(ctx, layout, box.below("image/archive.tar")); err != nil {
		return fmt.Errorf("image for %s: %w", a.Name, err)
	}
	if err := w.trustForeign(); err != nil {
		return err
	}
	return w.foreign.serve(ctx, r.Foreign)
}

// ownProgram is the adapter of a program that a scenario names itself.
func ownProgram(c Client) Adapter {
	return Adapter{Name: ClientName(c), Push: c.Run, Can: AdapterAbilities(), Login: LoginWay{Config: true}}
}

// trustForeign puts the authorities of every host where the client can be pointed to.
func (w *world) trustForeign() error {
	var all []byte
	for _, h := range w.hosts {
		all = append(all, h.server.CAPEM()...)
	}
	if all == nil {
		return nil
	}
	return os.WriteFile(w.foreign.box.below("ca/ca.crt"), all, 0o644) //nolint:gosec // any client reads it
}

// prepareForeign fills the variables and the arguments for one push.
func (w *world) prepareForeign(ref string) error {
	f, h, c := w.foreign, w.hosts[0], w.s.Client
	repository, tag, _ := splitReference(ref)
	verify := h.spec.TLS && (!c.Secure || c.Trust)
	vars := map[string]string{
		"REF": h.address() + "/" + ref, "HOST": h.address(), "REPOSITORY": repository, "TAG": tag, "NAME": tag, "SCHEME": "http",
		"LAYOUT": f.box.below("image/layout"), "ARCHIVE": f.box.below("image/archive.tar"), "TLS_VERIFY": fmt.Sprint(h.spec.TLS),
		"HOME": f.box.below("home"), "TEMP": f.box.below("tmp"), "STATE": f.box.below("run"), "USER": "", "PASSWORD": "", "CA": "", "CA_DIR": "",
		"IMAGE_ID": f.imageID,
	}
	f.allArgs, f.env = nil, map[string]string{}
	maps.Copy(f.env, f.adapter.Env)
	if !h.spec.TLS {
		f.allArgs = append(f.allArgs, f.adapter.Plain...)
	} else {
		vars["SCHEME"] = "https"
		if verify {
			vars["CA"], vars["CA_DIR"] = f.box.below("ca/ca.crt"), f.box.below("ca")
			f.tell(f.adapter.CA)
		}
	}
	f.box.vars = vars
	if l := c.Login; l != nil {
		vars["USER"], vars["PASSWORD"] = l.User, l.Password
		f.allArgs = append(f.allArgs, f.adapter.Login.Args...)
	}
	for name, value := range vars {
		f.env["PUSH_"+name] = value
	}
	return f.logins(h.address(), c.Login)
}

// tell adds what tells the client of the authority.
func (f *foreignRun) tell(way CAWay) {
	switch {
	case way.Dir != "":
		f.allArgs = append(f.allArgs, way.Dir, "${CA_DIR}")
	case way.File != "":
		f.allArgs = append(f.allArgs, way.File, "${CA}")
	case way.Env != "":
		f.env[way.Env] = "${CA}"
	}
}

// logins writes the file that docker keeps logins in, for a client that reads it.
func (f *foreignRun) logins(host string, l *Login) error {
	file := f.box.below("docker/config.json")
	if l == nil || !f.adapter.Login.Config && len(f.adapter.Shim) == 0 {
		return os.WriteFile(file, []byte("{}"), 0o600)
	}
	type entry struct {
		Auth string `json:"auth"`
	}
	text, err := json.Marshal(map[string]map[string]entry{"auths": {
		host: {base64.StdEncoding.EncodeToString([]byte(l.User + ":" + l.Password))},
	}})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// command is a command of the adapter with its arguments in their place: where
// ${ARGS} stands, else at the end.
func (f *foreignRun) command(argv []string) []string {
	i := slices.Index(argv, "${ARGS}")
	if i < 0 {
		return append(slices.Clone(argv), f.allArgs...)
	}
	return slices.Concat(argv[:i], f.allArgs, argv[i+1:])
}

// serve starts the service that the client needs, and waits until it can be used.
func (f *foreignRun) serve(ctx context.Context, o *Foreign) error {
	s := f.adapter.Service
	if s == nil {
		return nil
	}
	f.box.vars = map[string]string{"STATE": f.box.below("run"), "HOME": f.box.below("home"), "TEMP": f.box.below("tmp")}
	if s.Instead != "" && o.Env != nil {
		if value, ok := o.Env(s.Instead); ok && value != "" {
			f.box.env[s.Instead] = value
			return nil
		}
	}
	for name, value := range f.adapter.Env {
		f.box.env[name] = f.box.fill(value)
	}
	f.box.served = true
	own, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it is asked to end before it is killed
	cmd, out, err := f.box.command(own, call{argv: s.Run, dir: f.adapter.dir})
	if err == nil {
		_, err = f.box.start(cmd)
	}
	if err != nil {
		cancel()
		return fmt.Errorf("%s for %s: %w", s.Run[0], f.adapter.Name, err)
	}
	gone := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its output
		killGroup(cmd.Process.Pid)
		close(gone)
	}()
	f.ended = sync.OnceFunc(func() {
		askToEnd(cmd.Process.Pid)
		late, stop := clock.Real().WithTimeout(context.WithoutCancel(ctx), serviceGrace)
		defer stop()
		select {
		case <-gone:
		case <-late.Done():
		}
		cancel()
		<-gone
	})
	if err := f.ready(ctx, s, gone); err != nil {
		f.ended()
		return fmt.Errorf("%s for %s: %w; it said: %s", s.Run[0], f.adapter.Name, err, lastLine(out.String()))
	}
	return nil
}

// Limits of a service's beginning and end.
const (
	serviceStart = 30 * time.Second
	serviceGrace = 20 * time.Second
	servicePause = 50 * time.Millisecond // between two looks
)

// ready waits until a service can be used.
func (f *foreignRun) ready(ctx context.Context, s *Service, gone <-chan struct{}) error {
	own, cancel := clock.Real().WithTimeout(ctx, serviceStart)
	defer cancel()
	for {
		out := f.box.run(own, call{argv: s.Ready, dir: f.adapter.dir, limit: serviceStart})
		if out.err == nil && out.exit == 0 {
			return nil
		}
		select {
		case <-gone:
			return errors.New("it ended at once")
		default:
		}
		if clock.Real().Sleep(own, servicePause) != nil {
			return fmt.Errorf("it cannot be used after %s", serviceStart)
		}
	}
}

// close ends the service and removes the sandbox.
func (f *foreignRun) close() error {
	if f.ended != nil {
		f.ended()
	}
	return f.box.close()
}

// foreignLimit is how long one push of a scenario may take.
func (r *Runner) foreignLimit(s *Scenario) time.Duration {
	switch {
	case r.Timeout > 0:
		return r.Timeout
	case s.Timeout > 0:
		return s.Timeout
	}
	return r.Foreign.limit()
}

// serverTrace is what the servers of all hosts saw, in the order in which it began.
func (w *world) serverTrace() wire.Trace {
	var all wire.Trace
	for i, h := range w.hosts {
		for _, e := range h.server.Trace() {
			e.At += w.began[i]
			all = append(all, e)
		}
	}
	if len(w.hosts) == 1 {
		return all
	}
	slices.SortStableFunc(all, func(a, b wire.Exchange) int { return int(a.At - b.At) })
	ends := make([]int, len(all))
	for i := range all {
		all[i].Seq = i + 1
		for j, other := range all {
			if !all[i].Open && other.At <= all[i].At+all[i].Elapsed {
				ends[i] = j + 1
			}
		}
	}
	for i := range all {
		all[i].Until = ends[i]
	}
	return all
}

// masked is a client's output, a line each, without what must stand nowhere.
func masked(text string, secrets []string) []string {
	text = wire.NewScrubber(secrets...).Secrets(text)
	var list []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\r", "\n")) {
		if line = strings.TrimRight(line, "\n \t"); line != "" {
			list = append(list, cut(line))
		}
	}
	if over := len(list) - maxSaid; over > 0 {
		list = append(append(slices.Clone(list[:maxSaid/2]), fmt.Sprintf("… and %d lines more …", over)), list[len(list)-maxSaid/2:]...)
	}
	return list
}
