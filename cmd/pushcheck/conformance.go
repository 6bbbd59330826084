package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/conformance"
	"github.com/pushcheck/pushcheck/scenarios"
)

type conformanceFlags struct {
	login                  pushFlags // --user, --password-stdin
	run, skip              []string
	profile, level, failOn string
	ca, cert, key          string
	junit, html, report    string
	known                  string
	prefix, other, image   string
	color, progress        string
	list, json, insecure   bool
	keep                   bool
	verbose                bool
	seed                   uint64
	parallel               int
	timeout, patience      time.Duration
	deadline               time.Duration
	maxRequests            int64
	maxBytes, large        string
	rate                   float64
}

func newConformance(o outside) *cobra.Command {
	var f conformanceFlags
	cmd := &cobra.Command{
		Use:   "conformance URL",
		Short: "check the push side of a registry",
		Long: `conformance pushes to a registry what clients push, and what they push by mistake,
and says what it does not do as the specification has it or as clients need it.
It writes into repositories of its own, and deletes what it wrote as far as the
registry deletes. An interrupted run deletes too before it ends, and writes no report;
a second interrupt ends it at once.

Credentials come from --user and --password-stdin, from OCI_USERNAME and OCI_PASSWORD,
or from where docker keeps them. Without a URL the registry is OCI_ROOT_URL, and
OCI_NAMESPACE and OCI_CROSSMOUNT_NAMESPACE are --prefix and --other, as for the
specification's own suite.

Exit codes: 0 what must be met is met, 1 it is not, 2 wrong usage, 3 the registry
cannot be reached or something could not be seen, 130 interrupted.`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.conform(cmd.Context(), args, o) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.run, "run", nil, "only these checks, `ID`s, groups or patterns; may be repeated")
	flags.StringSliceVar(&f.skip, "skip", nil, "not these checks, `ID`s, groups or patterns; may be repeated")
	flags.StringVar(&f.profile, "profile", "", "what to check: "+strings.Join(profileNames(), ", ")+"; docker-push unless given")
	flags.StringVar(&f.level, "level", "", "nothing lighter than must, should or may")
	flags.StringVar(&f.failOn, "fail-on", "must", "exit 1 for what breaks a must, or a should too")
	flags.BoolVar(&f.list, "list", false, "name the checks that would run, and run none")
	flags.BoolVar(&f.keep, "keep", false, "delete nothing, so that the commands of the report find what was pushed")
	flags.BoolVar(&f.json, "json", false, "write the report to standard output as JSON, and text to standard error")
	flags.StringVar(&f.junit, "junit", "", "write a JUnit report to this `FILE`")
	flags.StringVar(&f.report, "report", "", "write the JSON report to this `FILE`, for pushcheck compare")
	flags.StringVar(&f.html, "html", "", "write a page to this `FILE`")
	flags.StringVar(&f.known, "known", "", "a YAML `FILE` of deviations that do not count: check, reason and link; one that is gone fails the run")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "name every check")
	flags.Uint64Var(&f.seed, "seed", 0, "of all content; chosen unless given")
	flags.IntVar(&f.parallel, "parallel", 4, "so many checks at once")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "of one request")
	flags.DurationVar(&f.deadline, "deadline", 0, "of the whole run, such as 10m; what is then not looked at is exit code 3")
	flags.DurationVar(&f.patience, "patience", 10*time.Second, "how long an upload is left idle, and a slow one sent")
	flags.StringVar(&f.large, "large", "64MiB", "how large what is large may be")
	flags.Int64Var(&f.maxRequests, "max-requests", 0, "send no more than so many requests; what is then not looked at is exit code 3")
	flags.StringVar(&f.maxBytes, "max-bytes", "", "send and get no more than so many `BYTES` of bodies, such as 100MiB")
	flags.Float64Var(&f.rate, "rate", 0, "send no more than so many requests a second")
	flags.StringVar(&f.prefix, "prefix", "pushcheck", "the first part of the repositories that are written to")
	flags.StringVar(&f.other, "other", "", "the first part of the second repositories, such as a mount's source; below --prefix unless given")
	flags.StringVar(&f.image, "image", "", "what the profile pull-only looks at, `REPOSITORY:TAG`")
	flags.StringVar(&f.color, "color", "auto", "auto, always or never")
	flags.StringVar(&f.progress, "progress", "auto", "the live line: auto, plain or none")
	flags.StringVar(&f.login.user, "user", "", "who checks, by `NAME`; docker's configuration says unless given")
	flags.BoolVar(&f.login.passwordStdin, "password-stdin", false, "read the password from standard input")
	flags.StringVar(&f.ca, "ca", "", "believe this CA only, a PEM `FILE`")
	flags.StringVar(&f.cert, "cert", "", "show this client certificate, a PEM `FILE`")
	flags.StringVar(&f.key, "key", "", "its private key, a PEM `FILE`")
	flags.BoolVar(&f.insecure, "insecure", false, "believe any certificate")
	_ = cmd.RegisterFlagCompletionFunc("profile", fixed(profileNames()...))
	_ = cmd.RegisterFlagCompletionFunc("level", fixed("must", "should", "may"))
	_ = cmd.RegisterFlagCompletionFunc("fail-on", fixed("must", "should"))
	return cmd
}

func profileNames() []string {
	var names []string
	for _, p := range conformance.Profiles() {
		names = append(names, p.Name)
	}
	return names
}

func parseLevel(flag, word string) (conformance.Level, error) {
	switch word {
	case "must":
		return conformance.Must, nil
	case "should":
		return conformance.Should, nil
	case "may":
		return conformance.May, nil
	}
	return 0, usage("", "--%s is must, should or may, not %q", flag, word)
}

func (f *conformanceFlags) conform(ctx context.Context, args []string, o outside) error {
	failOn, err := parseLevel("fail-on", f.failOn)
	if err != nil {
		return err
	}
	if args, err = f.asOCI(args, o); err != nil {
		return err
	}
	options, err := f.options()
	if err != nil {
		return err
	}
	if f.list && len(args) < 2 {
		return f.listChecks(options, o)
	}
	if len(args) != 1 {
		return usage("pushcheck conformance http://127.0.0.1:5000", "conformance takes the address of one registry, not %d arguments", len(args))
	}
	target, err := f.target(ctx, args[0], o)
	if err != nil {
		return err
	}
	files, err := f.files()
	if err != nil {
		return err
	}
	defer files.close()
	live, err := f.live(options, o)
	if err != nil {
		return err
	}
	options.Progress = live.show
	report, err := conformance.Run(ctx, target, options)
	live.end()
	switch {
	case ctx.Err() != nil:
		return &exitError{code: scenarios.ExitInterrupted, err: errors.New("interrupted; some checks have not run")}
	case errors.Is(err, conformance.ErrOptions), errors.Is(err, conformance.ErrTarget):
		return optionsError(err)
	case err != nil:
		return broken("", err)
	}
	if err := f.write(report, failOn, files, o); err != nil {
		return broken("", err)
	}
	if code := report.ExitCode(failOn); code != conformance.ExitOK {
		return &exitError{code: code}
	}
	return nil
}

// optionsError is wrong usage that the run noticed.
func optionsError(err error) error {
	if errors.Is(err, conformance.ErrTarget) {
		return usage("", "%v", err) // it says what could be meant
	}
	return usage("pushcheck conformance --list names the checks", "%v", err)
}

// options are what the flags say about the run.
func (f conformanceFlags) options() (conformance.Options, error) {
	o := conformance.Options{
		Profile: f.profile, Run: f.run, Skip: f.skip, Seed: f.seed, Parallel: f.parallel, Timeout: f.timeout, Patience: f.patience, Deadline: f.deadline,
		MaxRequests: f.maxRequests, Rate: f.rate, Given: f.image, Keep: f.keep,
	}
	if f.parallel < 1 || f.timeout <= 0 || f.patience <= 0 {
		return o, usage("", "--parallel, --timeout and --patience are above 0")
	}
	if err := color(f.color).check(); err != nil {
		return o, err
	}
	if f.run != nil && len(f.run) == 0 { // --run "$CHECKS", with nothing in it
		return o, usage("leave it out for all checks of the profile", "--run names no check")
	}
	if f.maxRequests < 0 || f.rate < 0 || f.deadline < 0 {
		return o, usage("", "--max-requests, --rate and --deadline are not below 0")
	}
	var err error
	if o.Large, err = parseBytes("large", f.large); err != nil {
		return o, err
	}
	if o.MaxBytes, err = parseBytes("max-bytes", f.maxBytes); err != nil {
		return o, err
	}
	if o.Known, err = f.readKnown(); err != nil {
		return o, err
	}
	if f.level != "" {
		if o.Level, err = parseLevel("level", f.level); err != nil {
			return o, err
		}
	}
	if o.Seed == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:])
		o.Seed = binary.LittleEndian.Uint64(b[:]) >> 32
	}
	_, err = o.Select()
	if err != nil {
		return o, optionsError(err)
	}
	return o, nil
}

func (f conformanceFlags) listChecks(options conformance.Options, o outside) error {
	checks, err := options.Select()
	if err != nil {
		return optionsError(err)
	}
	for _, c := range checks {
		fmt.Fprintf(o.stdout, "%-9s %-6s %s\n", c.ID, c.Level, c.Doc)
	}
	return nil
}

// target is the registry, and what gets one in.
func (f conformanceFlags) target(ctx context.Context, address string, o outside) (conformance.Target, error) {
	t := conformance.Target{URL: address, Prefix: f.prefix, Other: f.other}
	if strings.Contains(address, "@") {
		return t, usage("credentials go to --user and --password-stdin", "the address has credentials in it")
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return t, usage("write the scheme, as in http://127.0.0.1:5000", "%q is not the address of a registry", address)
	}
	if t.Credentials, err = f.credentials(ctx, u.Host, o); err != nil {
		return t, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // net/http says so
	transport.MaxIdleConnsPerHost, transport.MaxResponseHeaderBytes = 2*f.parallel, 1<<20
	if f.insecure && f.ca != "" {
		return t, usage("leave one of them out", "--insecure believes any certificate, --ca only one")
	}
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: f.insecure, MinVersion: tls.VersionTLS12} //nolint:gosec // on demand
	if f.ca != "" {
		if _, transport.TLSClientConfig.RootCAs, err = readCA("ca", f.ca); err != nil {
			return t, err
		}
	}
	if (f.cert == "") != (f.key == "") {
		return t, usage("", "--cert and --key go together")
	}
	if f.cert != "" {
		pair, err := readPair(f.cert, f.key)
		if err != nil {
			return t, err
		}
		transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	t.Transport = transport
	return t, nil
}

// write writes the reports that were asked for.
func (f conformanceFlags) write(r *conformance.Report, failOn conformance.Level, files *reportFiles, o outside) error {
	text := o.stdout
	if f.json {
		text = o.stderr
		if err := r.WriteJSON(o.stdout); err != nil {
			return err
		}
	}
	for _, row := range []struct {
		file  *reportFile
		write func(io.Writer) error
	}{
		{files.junit, func(w io.Writer) error { return r.WriteJUnit(w, failOn) }},
		{files.json, r.WriteJSON},
		{files.html, func(w io.Writer) error { return r.WriteHTML(w, "", failOn) }},
	} {
		if row.file == nil {
			continue
		}
		if err := row.file.write(row.write); err != nil {
			return err
		}
	}
	columns, isTerminal := o.terminal(text)
	return r.WriteText(text, conformance.TextOptions{Verbose: f.verbose, Color: color(f.color).on(isTerminal, o), Columns: columns})
}
