package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/internal/wire"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/scenarios"
)

type pushFlags struct {
	era, image, user, ca, trace, cache, progress, record, platform string
	passwordStdin, insecure, allTags, json, nondistributable       bool
}

func newPush(o outside) *cobra.Command {
	var f pushFlags
	cmd := &cobra.Command{
		Use:   "push IMAGE HOST/REPOSITORY[:TAG]",
		Short: "push a local image to a registry, as docker does",
		Long: `push pushes an image to a registry, as the docker of an era does. IMAGE is a
"docker save" archive of any age, or an OCI layout as a folder or a tar. Where it
holds several images, the target's tag picks the one of that tag, and --image
another.

Credentials are those of --user, or else what docker's own config.json and
credential helpers have for the registry.`,
		Example: `  pushcheck push app.tar 127.0.0.1:5000/lib/app:latest
  pushcheck push --user alice --password-stdin app.tar registry.example/lib/app < password`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("write: pushcheck push IMAGE HOST/REPOSITORY[:TAG]", "push takes an image and where to, not %s", plural(len(args), "argument"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return push(cmd.Context(), args, f, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.era, "era", "docker-1.8", "push as this `docker` does")
	flags.StringVar(&f.image, "image", "", "push this image of the archive (`NAME:TAG`; with --all-tags its repository)")
	flags.BoolVar(&f.allTags, "all-tags", false, "push every tag of the repository")
	flags.StringVar(&f.platform, "platform", "", "push the image for this `OS/ARCHITECTURE` alone; without it all of an index, where the era knows them")
	flags.BoolVar(&f.nondistributable, "allow-nondistributable-artifacts", false, "upload layers that live elsewhere too, where the era has the option")
	flags.StringVar(&f.user, "user", "", "log in as `NAME`; the password comes with --password-stdin")
	flags.BoolVar(&f.passwordStdin, "password-stdin", false, "read the password from standard input")
	flags.BoolVar(&f.insecure, "insecure", false, "allow plain HTTP, and certificates that nobody vouches for")
	flags.StringVar(&f.ca, "ca", "", "trust the certificates in this `FILE` (PEM) for the registry, and no others")
	flags.BoolVar(&f.json, "json", false, "write the stream of docker's engine to standard output")
	flags.StringVar(&f.trace, "trace", "", "write what went over the wire to this `FILE`")
	flags.StringVar(&f.record, "record", "", "write a recording of it into this `FOLDER`, as pushcheck record does")
	flags.StringVar(&f.progress, "progress", "auto", "auto, bars or plain")
	flags.StringVar(&f.cache, "cache", "", "remember the digests of layers in this `FOLDER`; none remembers nothing")
	_ = cmd.RegisterFlagCompletionFunc("era", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return eraNames(), cobra.ShellCompDirectiveNoFileComp
	})
	_ = cmd.RegisterFlagCompletionFunc("progress", fixed("auto", "bars", "plain"))
	return cmd
}

// pushGC is the runtime's GOGC while a push goes on: little of what it makes lives long,
// and a heap that is swept a little earlier keeps the peak of an image with hundreds of
// layers below 24 MiB. Much less than this costs time.
const pushGC = 80

func push(ctx context.Context, args []string, f pushFlags, o outside) error {
	defer debug.SetGCPercent(debug.SetGCPercent(pushGC))
	to, err := parseTarget(args[1])
	if err != nil {
		return err
	}
	era, err := findEra(f.era)
	if err != nil {
		return err
	}
	late := &lateWriter{w: o.stdout}
	defer late.flush()
	show, err := f.shower(era, o, late)
	if err != nil {
		return err
	}
	login, err := f.credentials(ctx, to.host, o)
	if err != nil {
		return err
	}
	space := &scratch{}
	defer space.remove()
	store, tags, platform, err := f.load(ctx, args[0], to, era, space)
	if err != nil {
		return pushError(ctx, err)
	}
	defer store.Close()
	known, keep, err := f.memory(era, store, o)
	if err != nil {
		return err
	}
	defer keep()

	config := pusher.Config{Era: era, Images: store, Metadata: known, TempDir: space.path, AllowNondistributable: f.nondistributable}
	if f.trace != "" {
		config.Recorder = wire.NewRecorder(clock.Real(), nil)
	}
	if err := f.trust(&config, to.host, space); err != nil {
		return err
	}
	tag := f.tagOf(tags)
	rec, err := f.startRecording(ctx, &config, to.host, recording.Input{Name: to.name, Tag: tag, User: login.Username, Pass: login.Password})
	if err != nil {
		return err
	}
	defer rec.close()
	client, err := pusher.New(config)
	if err != nil {
		return broken("", err)
	}
	_, err = client.Push(ctx, to.name, tag, pusher.Options{Credentials: login, Platform: platform, Progress: rec.teller(show)})
	late.flush()
	if err := rec.write(err, o.stderr); err != nil {
		return err
	}
	if f.trace != "" {
		if err := writeTrace(f.trace, config.Recorder.Trace(), login); err != nil {
			return broken("", err)
		}
	}
	return pushError(ctx, err)
}

// tagOf is the tag to push: the only one of them, or "" for all.
func (f pushFlags) tagOf(tags map[string]image.Loaded) string {
	tag := ""
	if !f.allTags {
		for tag = range tags {
		}
	}
	return tag
}

// load opens or loads the archive, and tags what goes out for the platform that was
// asked for.
func (f pushFlags) load(ctx context.Context, path string, to target, era pusher.Era, space *scratch) (*image.Store, map[string]image.Loaded, *v1.Platform, error) {
	if f.record != "" { // certificates lie there
		if _, err := space.dir(); err != nil {
			return nil, nil, nil, err
		}
	}
	store, loaded, err := source(ctx, path, era, space)
	if err != nil {
		return nil, nil, nil, err
	}
	fail := func(err error) (*image.Store, map[string]image.Loaded, *v1.Platform, error) {
		store.Close()
		return nil, nil, nil, err
	}
	tags, err := choose(loaded, to, f.image, f.allTags)
	if err != nil {
		return fail(inFile(path, err))
	}
	platform, err := f.forPlatform(loaded, tags)
	if err != nil {
		return fail(inFile(path, err))
	}
	for tag, one := range tags {
		if err := store.TagContent(to.name, tag, one.Image, one.Content); err != nil {
			return fail(broken("", err))
		}
	}
	return store, tags, platform, nil
}

// source is a store with the images at a path. A layout stays where it lies for an era
// that sends what is stored; all else is loaded into a store of its own.
func source(ctx context.Context, path string, era pusher.Era, space *scratch) (*image.Store, []image.Loaded, error) {
	unreadable := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return usage("an image is a docker save archive or an OCI layout (a folder or a tar)", "%v", err)
	}
	if info, err := os.Stat(path); era.Way != pusher.WayGraph && err == nil && info.IsDir() {
		store, loaded, err := image.OpenLayout(ctx, path)
		switch {
		case err == nil:
			return store, loaded, nil
		case !errors.Is(err, image.ErrNotLayout):
			return nil, nil, unreadable(err)
		}
	}
	dir, err := space.dir()
	if err != nil {
		return nil, nil, err
	}
	store, err := image.Open(filepath.Join(dir, "images"))
	if err != nil {
		return nil, nil, broken("", err)
	}
	loaded, err := store.Load(ctx, path)
	if err != nil {
		store.Close()
		return nil, nil, unreadable(err)
	}
	if loaded, err = pushable(path, loaded, era); err != nil {
		store.Close()
	}
	return store, loaded, err
}

func inFile(path string, err error) error {
	if exit := new(exitError); errors.As(err, &exit) {
		return &exitError{code: exit.code, err: fmt.Errorf("%s: %w", path, exit.err), hint: exit.hint}
	}
	return err
}

// trust says whom to believe: nobody in particular, anybody, or one CA.
func (f pushFlags) trust(c *pusher.Config, host string, space *scratch) error {
	if f.insecure && f.ca != "" {
		return usage("leave one of them out", "--insecure believes any certificate, --ca only one")
	}
	if f.insecure {
		c.InsecureRegistries = []string{host}
	}
	if f.ca == "" {
		return nil
	}
	pem, _, err := readCA("ca", f.ca)
	if err != nil {
		return err
	}
	dir, err := space.dir()
	if err != nil {
		return err
	}
	c.Secure, c.CertsDir = []string{host}, filepath.Join(dir, "certs.d")
	certs := filepath.Join(c.CertsDir, host)
	if err := os.MkdirAll(certs, 0o700); err != nil {
		return broken("", err)
	}
	if err := os.WriteFile(filepath.Join(certs, "ca.crt"), pem, 0o600); err != nil {
		return broken("", err)
	}
	return nil
}

// shower is what shows the progress.
func (f pushFlags) shower(era pusher.Era, o outside, late *lateWriter) (func(pusher.Event), error) {
	if f.json {
		stream := pusher.NewStream(o.stdout, era)
		return func(e pusher.Event) { _ = stream.Write(e) }, nil // a reader that went away changes nothing about the push
	}
	columns, isTerminal := o.terminal(o.stdout)
	switch f.progress {
	case "auto":
	case "bars":
		isTerminal, columns = true, max(columns, 80)
	case "plain":
		isTerminal = false
	default:
		return nil, usage("", "--progress is auto, bars or plain, not %q", f.progress)
	}
	if isTerminal {
		return (&bars{w: o.stdout, columns: columns}).show, nil
	}
	return (&lines{w: late}).show, nil
}

func pushError(ctx context.Context, err error) error {
	var exit *exitError
	var failed *pusher.FailedError
	var memory *pusher.MemoryError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &exitError{code: scenarios.ExitInterrupted, err: errors.New("interrupted; the push has been given up")}
	case errors.As(err, &exit):
		return err
	case errors.As(err, &memory):
		return broken("the registry is not to blame: --cache names another folder, --cache none remembers nothing",
			fmt.Errorf("docker gives up where it cannot remember a layer: %w", memory.Err))
	case errors.As(err, &failed):
		return &exitError{code: scenarios.ExitFailed, err: failed, hint: reasons(failed)}
	}
	return &exitError{code: scenarios.ExitFailed, err: err}
}

// reasons lists what happened at every endpoint, where docker shows one.
func reasons(failed *pusher.FailedError) string {
	var b strings.Builder
	for _, a := range failed.Attempts {
		what := "tried"
		if a.Skipped {
			what = "skipped"
		}
		fmt.Fprintf(&b, "%s %s over V%d", what, a.Endpoint.URL, a.Endpoint.Version)
		if a.Err != nil {
			b.WriteString(": " + strings.ReplaceAll(a.Err.Error(), "\n", "\n    "))
		}
		b.WriteString("\n  ")
	}
	return strings.TrimSpace(b.String())
}

func writeTrace(path string, t wire.Trace, login pusher.Credentials) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(file, wire.FormatTrace(t, secrets(login)...)); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// secrets are what must never be in a trace, however a registry sends it back.
func secrets(login pusher.Credentials) []string {
	return slices.DeleteFunc([]string{login.Password, login.IdentityToken, login.RegistryToken}, func(s string) bool { return s == "" })
}

func findEra(name string) (pusher.Era, error) {
	for _, e := range pusher.Eras() {
		if e.Name == name {
			return e, nil
		}
	}
	if near := scenarios.Nearest(name, eraNames()); near != "" {
		return pusher.Era{}, usage("", "there is no era %q; did you mean %s?", name, near)
	}
	return pusher.Era{}, usage("", "there is no era %q; there is %s", name, strings.Join(eraNames(), ", "))
}

func eraNames() []string {
	var names []string
	for _, e := range pusher.Eras() {
		names = append(names, e.Name)
	}
	return names
}

func plural(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
