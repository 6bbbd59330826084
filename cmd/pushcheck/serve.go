package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/scenarios"
)

type serveFlags struct {
	registry, scenario, listen, auth, user, passwordFile, ca, ornery, maxBytes string
	tls, expose                                                                bool
	seed                                                                       uint64
}

var registryKinds = []string{scenarios.KindV2, scenarios.KindFake, scenarios.KindV1, scenarios.KindBoth}

func newServe(o outside) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "serve one of the bench's registries, with the faults of a scenario, for any client",
		Long: `serve starts a registry on loopback, prints what a client needs to know of it, and
logs each exchange until it is interrupted. With --scenario it is the registry of
that file, with its faults; the flags say otherwise where they are given.

With --ornery it is lawful and difficult: about half of the oddities below, which
--seed chooses, or those that are named.

` + oddities() + `
It keeps what is pushed in memory, up to --max-bytes, and takes ` + fmt.Sprint(maxConnections) + ` connections and
` + fmt.Sprint(maxSessions) + ` upload sessions at once. A client that is silent for ` + maxIdle.String() + ` in the middle of a request, or
after one, is let go.`,
		Example: `  pushcheck serve --registry v1
  pushcheck serve --ornery=relative-location,min-chunk
  pushcheck serve --scenario upload/hangs --listen 127.0.0.1:5000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), f, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.registry, "registry", "", "the `KIND` of registry: v2 (distribution), fake, v1 or v1+v2; v2 unless given")
	flags.StringVar(&f.scenario, "scenario", "", "take registry and faults from this scenario `FILE` or built-in one")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "the `ADDRESS`; port 0 is a free one")
	flags.BoolVar(&f.expose, "expose", false, "allow an address that other machines can reach")
	flags.StringVar(&f.auth, "auth", "", "demand credentials: basic or bearer")
	flags.StringVar(&f.user, "user", "", "of the one user that there is; alice unless given")
	flags.StringVar(&f.passwordFile, "password-file", "", "read that user's password from this `FILE`; s3cret unless given")
	flags.BoolVar(&f.tls, "tls", false, "speak TLS, with a certificate authority made for this run")
	flags.StringVar(&f.ca, "write-ca", "", "with TLS, write the authority's certificate to this `FILE`; a temporary one unless given")
	flags.Uint64Var(&f.seed, "seed", 1, "of faults that use chance, and of --ornery")
	flags.StringVar(&f.ornery, "ornery", "", "be lawful and difficult, in the ways that the seed chooses or in these `ODDITIES`, with commas between; implies --registry fake")
	flags.Lookup("ornery").NoOptDefVal = drawn
	flags.StringVar(&f.maxBytes, "max-bytes", "1GiB", "keep at most this `SIZE` of blobs, manifests and open uploads; more is refused as by a full disk")
	_ = cmd.RegisterFlagCompletionFunc("registry", fixed(registryKinds...))
	_ = cmd.RegisterFlagCompletionFunc("ornery", fixed(scenarios.OddityNames()...))
	_ = cmd.RegisterFlagCompletionFunc("auth", fixed("basic", "bearer"))
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios)
	return cmd
}

func serve(ctx context.Context, f serveFlags, o outside) error {
	s, err := f.scene(ctx, o)
	if err != nil {
		return err
	}
	most, err := scenarios.ParseSize(f.maxBytes)
	if err != nil {
		return usage("", "--max-bytes: %v", err)
	}
	served, _, err := f.attend(ctx, s, limits(most, ""), "--listen takes another address, --expose one that other machines can reach", o)
	if err != nil {
		return err
	}
	for _, name := range served.Idle() {
		fmt.Fprintf(o.stderr, "pushcheck: fault %s never struck\n", name)
	}
	return nil
}

// attend serves a scenario to anybody until ctx ends, and says so. What it returns is
// closed. hint is how to go on where nothing can be served.
func (f serveFlags) attend(ctx context.Context, s *scenarios.Scenario, most scenarios.Limits, hint string, o outside) (*scenarios.Served, *exchangeLog, error) {
	log := &exchangeLog{w: o.stdout}
	served, err := scenarios.Serve(ctx, s, scenarios.ServeOptions{Listen: f.listen, Expose: f.expose, Seed: f.seed, Observe: log.show, Limits: most})
	if err != nil {
		return nil, nil, broken(hint, err)
	}
	defer served.Close()
	remove, err := f.announce(s, served, o)
	defer remove()
	if err != nil {
		return nil, nil, err
	}
	log.open()
	<-ctx.Done()
	log.close()
	if err := served.Close(); err != nil {
		return nil, nil, broken("", err)
	}
	return served, log, nil
}

// load reads the scenario that is named, for a command; without one it is empty.
func (f serveFlags) load(command string, o outside) (*scenarios.Scenario, error) {
	s := &scenarios.Scenario{ID: "serve", Title: "serve"}
	if f.scenario != "" {
		loader := scenarios.Loader{Files: scenarios.Dir(""), Env: o.env}
		list, err := loader.Load(f.scenario)
		if err != nil {
			return nil, loadError(err)
		}
		if len(list) > 1 {
			var ids []string
			for _, one := range list {
				ids = append(ids, one.ID)
			}
			return nil, usage("choose one of "+strings.Join(ids, ", "), "--scenario %s is %s; %s takes one", f.scenario, plural(len(list), "scenario"), command)
		}
		s = list[0]
	}
	return s, nil
}

// scene is the scenario to serve: one from a file, with what the flags change.
func (f serveFlags) scene(ctx context.Context, o outside) (*scenarios.Scenario, error) {
	s, err := f.load("serve", o)
	if err != nil {
		return nil, err
	}
	registry := scenarios.Registry{}
	if len(s.Registries) > 0 {
		registry = s.Registries[0]
	}
	if f.registry != "" {
		if !slices.Contains(registryKinds, f.registry) {
			return nil, usage("one of "+strings.Join(registryKinds, ", "), "%q is not a kind of registry", f.registry)
		}
		registry.Kind = f.registry
	}
	if f.auth != "" && f.auth != "basic" && f.auth != "bearer" {
		return nil, usage("", "--auth is basic or bearer, not %q", f.auth)
	}
	if f.auth != "" {
		registry.Auth = f.auth
	}
	registry.TLS = registry.TLS || f.tls
	if err := f.beOrnery(&registry); err != nil {
		return nil, err
	}
	if err := f.users(ctx, &registry); err != nil {
		return nil, err
	}
	changed := *s
	changed.Registries = append([]scenarios.Registry{registry}, s.Registries[min(1, len(s.Registries)):]...)
	return &changed, nil
}

func (f serveFlags) users(ctx context.Context, r *scenarios.Registry) error {
	if f.user == "" && f.passwordFile == "" {
		return nil
	}
	user, password := "alice", "s3cret"
	if f.user != "" {
		user = f.user
	}
	if f.passwordFile != "" {
		file, err := os.Open(f.passwordFile)
		if err != nil {
			return usage("", "--password-file: %v", err)
		}
		defer file.Close()
		line, err := firstLine(ctx, file)
		if err != nil {
			return broken("", fmt.Errorf("--password-file: %w", err))
		}
		password = strings.TrimRight(line, "\r\n")
	}
	r.Users = map[string]string{user: password}
	return nil
}

// announce prints what a client needs to know.
func (f serveFlags) announce(s *scenarios.Scenario, served *scenarios.Served, o outside) (remove func(), err error) {
	remove = func() {}
	for i, r := range served.Registries {
		kind := r.Kind
		if r.Upstream != "" {
			kind = "in front of " + r.Upstream
		}
		fmt.Fprintf(o.stdout, "registry  %s (%s)\n", r.URL, kind)
		for _, odd := range r.Oddities {
			fmt.Fprintf(o.stdout, "ornery    %s: %s\n", odd.Name, odd.Doc)
		}
		for _, user := range slices.Sorted(maps.Keys(r.Users)) {
			password := "of " + f.passwordFile
			if f.passwordFile == "" {
				password = r.Users[user] // of the bench's own making, and for this registry only
			}
			fmt.Fprintf(o.stdout, "user      %s, password %s\n", user, password)
		}
		if r.CA == nil {
			continue
		}
		path := f.ca
		if path == "" || i > 0 {
			dir, err := os.MkdirTemp("", "pushcheck-ca-")
			if err != nil {
				return remove, broken("", err)
			}
			before := remove
			remove = func() { before(); os.RemoveAll(dir) }
			path = filepath.Join(dir, "ca.pem")
		}
		if err := os.WriteFile(path, r.CA, 0o644); err != nil {
			return remove, broken("", err)
		}
		fmt.Fprintf(o.stdout, "ca        %s\n", path)
	}
	for _, fault := range s.Faults {
		fmt.Fprintf(o.stdout, "fault     %s\n", fault.Name)
	}
	fmt.Fprintln(o.stdout, "ready; an interrupt ends it")
	return remove, nil
}

// An exchangeLog writes a line for each exchange, once the announcement is out.
type exchangeLog struct {
	mu    sync.Mutex // guards everything
	w     io.Writer
	ready bool
	early []wire.Exchange // ended before the announcement was out
	total int
}

// count is how many exchanges there were.
func (l *exchangeLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

func (l *exchangeLog) show(e wire.Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total++
	if !l.ready && len(l.early) < rememberedFew {
		l.early = append(l.early, e)
	}
	if l.ready {
		l.write(e)
	}
}

func (l *exchangeLog) open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = true
	for _, e := range l.early {
		l.write(e)
	}
	l.early = nil
}

// close drops what ends because the registry does.
func (l *exchangeLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = false
}

func (l *exchangeLog) write(e wire.Exchange) {
	var b strings.Builder
	fmt.Fprintf(&b, "#%-3d %-16s %s", e.Seq, e.Route.Op, e.Answer())
	if e.Route.Repository != "" {
		fmt.Fprintf(&b, " %s", e.Route.Repository)
	}
	if e.Route.Tag != "" {
		fmt.Fprintf(&b, ":%s", e.Route.Tag)
	}
	if e.Route.Digest != "" {
		fmt.Fprintf(&b, " %.19s", e.Route.Digest)
	}
	if e.Route.ImageID != "" {
		fmt.Fprintf(&b, " %.12s", e.Route.ImageID)
	}
	if e.Request.Body.Length > 0 {
		fmt.Fprintf(&b, " %d B", e.Request.Body.Length)
	}
	if e.Fault != "" {
		fmt.Fprintf(&b, " ⚡%s", e.Fault)
	}
	fmt.Fprintln(l.w, report.Visible(b.String()))
}
