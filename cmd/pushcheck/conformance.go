package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
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
	ca, junit, prefix      string
	list, json, insecure   bool
	verbose                bool
	seed                   uint64
	parallel               int
	timeout                time.Duration
}

func newConformance(o outside) *cobra.Command {
	var f conformanceFlags
	cmd := &cobra.Command{
		Use:   "conformance URL",
		Short: "check the push side of a registry",
		Long: `conformance pushes to a registry what clients push, and what they push by mistake,
and says what it does not do as the specification has it or as clients need it.
It writes into repositories of its own, and deletes what it wrote as far as the
registry deletes.

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
	flags.BoolVar(&f.json, "json", false, "write the report to standard output as JSON, and text to standard error")
	flags.StringVar(&f.junit, "junit", "", "write a JUnit report to this `FILE`")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "name every check")
	flags.Uint64Var(&f.seed, "seed", 0, "of all content; chosen unless given")
	flags.IntVar(&f.parallel, "parallel", 4, "so many checks at once")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "of one request")
	flags.StringVar(&f.prefix, "prefix", "pushcheck", "the first part of the repositories that are written to")
	flags.StringVar(&f.login.user, "user", "", "who checks, by `NAME`; docker's configuration says unless given")
	flags.BoolVar(&f.login.passwordStdin, "password-stdin", false, "read the password from standard input")
	flags.StringVar(&f.ca, "ca", "", "believe this CA only, a PEM `FILE`")
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

func (f conformanceFlags) conform(ctx context.Context, args []string, o outside) error {
	failOn, err := parseLevel("fail-on", f.failOn)
	if err != nil {
		return err
	}
	options, err := f.options()
	if err != nil {
		return err
	}
	if f.list {
		return f.listChecks(options, o)
	}
	if len(args) != 1 {
		return usage("pushcheck conformance http://127.0.0.1:5000", "conformance takes the address of one registry, not %d arguments", len(args))
	}
	target, err := f.target(args[0], o)
	if err != nil {
		return err
	}
	var junit *os.File
	if f.junit != "" {
		if junit, err = os.Create(f.junit); err != nil {
			return broken("--junit takes a file in a folder that exists", err)
		}
		defer junit.Close()
	}
	report, err := conformance.Run(ctx, target, options)
	switch {
	case ctx.Err() != nil:
		return &exitError{code: scenarios.ExitInterrupted, err: errors.New("interrupted; some checks have not run")}
	case err != nil:
		return optionsError(err)
	}
	if err := f.write(report, failOn, junit, o); err != nil {
		return broken("", err)
	}
	if code := report.ExitCode(failOn); code != conformance.ExitOK {
		return &exitError{code: code}
	}
	return nil
}

func optionsError(err error) error {
	return usage("pushcheck conformance --list names the checks", "%v", err)
}

// options are what the flags say about the run.
func (f conformanceFlags) options() (conformance.Options, error) {
	o := conformance.Options{Profile: f.profile, Run: f.run, Skip: f.skip, Seed: f.seed, Parallel: f.parallel, Timeout: f.timeout}
	if f.parallel < 1 || f.timeout <= 0 {
		return o, usage("", "--parallel and --timeout are above 0")
	}
	if f.level != "" {
		var err error
		if o.Level, err = parseLevel("level", f.level); err != nil {
			return o, err
		}
	}
	if o.Seed == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:])
		o.Seed = binary.LittleEndian.Uint64(b[:]) >> 32
	}
	_, err := o.Select()
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
func (f conformanceFlags) target(address string, o outside) (conformance.Target, error) {
	t := conformance.Target{URL: address, Prefix: f.prefix}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return t, usage("write the scheme, as in http://127.0.0.1:5000", "%q is not the address of a registry", address)
	}
	if t.Credentials, err = f.login.credentials(u.Host, o); err != nil {
		return t, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // net/http says so
	transport.MaxIdleConnsPerHost = 2 * f.parallel
	if f.insecure && f.ca != "" {
		return t, usage("leave one of them out", "--insecure believes any certificate, --ca only one")
	}
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: f.insecure, MinVersion: tls.VersionTLS12} //nolint:gosec // on demand
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return t, usage("", "--ca: %v", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return t, usage("", "--ca: %s holds no certificate", f.ca)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	t.Transport = transport
	return t, nil
}

// write writes the reports that were asked for.
func (f conformanceFlags) write(r *conformance.Report, failOn conformance.Level, junit io.Writer, o outside) error {
	text := o.stdout
	if f.json {
		text = o.stderr
		if err := r.WriteJSON(o.stdout); err != nil {
			return err
		}
	}
	if f.junit != "" {
		if err := r.WriteJUnit(junit, failOn); err != nil {
			return err
		}
	}
	return r.WriteText(text, f.verbose)
}
