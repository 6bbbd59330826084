package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/scenarios"
	"github.com/pushcheck/pushcheck/scenarios/record"
)

type recordFlags struct {
	upstream, listen, out, name, note, client, ca, upstreamCA string
	tls, expose, insecure                                     bool
}

func newRecord(o outside) *cobra.Command {
	var f recordFlags
	cmd := &cobra.Command{
		Use:   "record --upstream URL [-- COMMAND…]",
		Short: "record what any client does, through a proxy to a registry",
		Long: `record puts a proxy between a client and a registry and writes a recording: what
the client sent, what it was answered, what it said and how it ended, free of
credentials, tokens, addresses and what else differs from run to run.

In the arguments of COMMAND {registry} stands for the proxy's address, {ca} for the
file of its certificate with --tls; the command also finds both in the environment,
as PUSHCHECK_REGISTRY and PUSHCHECK_CA. Its exit code goes into the recording.
Without a command the proxy records until it is interrupted.

What a client asks of other hosts, such as a token service elsewhere, goes past the
proxy and is not recorded.`,
		Example: `  pushcheck record --upstream http://127.0.0.1:5000 --out recordings/crane -- crane push --insecure app.tar {registry}/lib/app:two
  pushcheck record --upstream http://127.0.0.1:5000 --listen 127.0.0.1:5001`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return usage("write: pushcheck record --upstream URL -- COMMAND…", "the command follows --, and nothing else is an argument: %q", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), args, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.upstream, "upstream", "", "the registry, as `URL`: http://HOST:PORT or https://HOST")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "the proxy's `ADDRESS`; port 0 is a free one")
	flags.BoolVar(&f.expose, "expose", false, "allow an address that other machines can reach")
	flags.BoolVar(&f.tls, "tls", false, "speak TLS with the client, with a certificate made for this run")
	flags.StringVar(&f.ca, "write-ca", "", "with --tls, write that certificate to this `FILE`; a temporary one unless given")
	flags.BoolVar(&f.insecure, "upstream-insecure", false, "believe any certificate of the registry")
	flags.StringVar(&f.upstreamCA, "upstream-ca", "", "believe the certificates in this `FILE` (PEM) for the registry")
	flags.StringVar(&f.out, "out", "recording", "write into this `FOLDER`: it becomes a scenario, and each recording a step of it")
	flags.StringVar(&f.name, "name", "", "the step's `NAME` (default: the next number and the command's name)")
	flags.StringVar(&f.client, "client", "", "which `CLIENT` and version it is, for people (default: the command's name)")
	flags.StringVar(&f.note, "note", "", "a `SENTENCE` about it, for people")
	return cmd
}

// recorded is what becomes of a recorded command.
type recorded struct {
	exit        int
	said        []byte // standard output
	lastError   string // the last line of standard error, of a command that failed
	interrupted bool
}

func (f recordFlags) run(ctx context.Context, command []string, o outside) error {
	if f.upstream == "" {
		return usage("write: pushcheck record --upstream URL -- COMMAND…", "record needs --upstream: the registry to pass everything on to")
	}
	if f.name != "" && (f.name != filepath.Base(f.name) || strings.HasPrefix(f.name, ".")) {
		return usage("", "--name %q cannot be the name of a file", f.name)
	}
	config, err := f.config()
	if err != nil {
		return err
	}
	ca, remove, err := f.certificate(&config)
	if err != nil {
		return err
	}
	defer remove()
	p, err := record.Start(ctx, config)
	if err != nil {
		return usage("--upstream names the registry, --listen where the client reaches the proxy, --expose allows other than loopback", "%v", err)
	}
	defer p.Close()
	r := recorded{interrupted: true}
	if len(command) > 0 {
		r, err = runClient(ctx, command, p.Host(), ca, o)
	} else {
		fmt.Fprintf(o.stdout, "registry  %s\n", p.Host())
		if ca != "" {
			fmt.Fprintf(o.stdout, "ca        %s\n", ca)
		}
		fmt.Fprintln(o.stdout, "ready; an interrupt ends the recording")
		<-ctx.Done()
	}
	if err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return broken("", err)
	}
	return f.write(p, r, command, o)
}

func (f recordFlags) config() (record.Config, error) {
	config := record.Config{Upstream: f.upstream, Listen: f.listen, Expose: f.expose}
	if f.insecure && f.upstreamCA != "" {
		return config, usage("leave one of them out", "--upstream-insecure believes any certificate, --upstream-ca those of a file")
	}
	if f.insecure {
		config.UpstreamTLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // asked for
	}
	if f.upstreamCA != "" {
		_, pool, err := readCA("upstream-ca", f.upstreamCA)
		if err != nil {
			return config, err
		}
		config.UpstreamTLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return config, nil
}

// certificate makes the proxy's certificate with --tls. path is where the client
// finds it, "" without.
func (f recordFlags) certificate(config *record.Config) (path string, remove func(), err error) {
	remove = func() {}
	if !f.tls {
		if f.ca != "" {
			return "", remove, usage("add --tls", "--write-ca without --tls: there is no certificate")
		}
		return "", remove, nil
	}
	cert, pem, err := recording.NewCertificate(hostOf(f.listen))
	if err != nil {
		return "", remove, broken("", err)
	}
	config.Certificate = &cert
	path, remove, err = writeCA(f.ca, pem)
	return path, remove, err
}

func hostOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		address = address[:i]
	}
	return strings.Trim(address, "[]")
}

// writeCA writes a certificate to a file, or to a temporary one that remove
// removes.
func writeCA(path string, pem []byte) (written string, remove func(), err error) {
	remove = func() {}
	if path == "" {
		dir, err := os.MkdirTemp("", "pushcheck-ca-")
		if err != nil {
			return "", remove, broken("", err)
		}
		remove = func() { os.RemoveAll(dir) }
		path = filepath.Join(dir, "ca.crt")
	}
	if err := os.WriteFile(path, pem, 0o644); err != nil {
		return "", remove, broken("--write-ca names another file", err)
	}
	return path, remove, nil
}

// runClient runs a client to its end. Its streams go where the caller's go.
func runClient(ctx context.Context, command []string, host, ca string, o outside) (recorded, error) {
	argv := make([]string, len(command))
	for i, arg := range command {
		argv[i] = strings.NewReplacer("{registry}", host, "{ca}", ca).Replace(arg)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), "PUSHCHECK_REGISTRY="+host, "PUSHCHECK_CA="+ca)
	var said, complained bytes.Buffer
	cmd.Stdin = o.stdin
	cmd.Stdout, cmd.Stderr = io.MultiWriter(o.stdout, &said), io.MultiWriter(o.stderr, &complained)
	err := cmd.Run()
	r := recorded{said: said.Bytes(), interrupted: ctx.Err() != nil}
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		r.exit = exit.ExitCode()
		r.lastError = cmp.Or(lastLine(complained.String()), exit.Error())
		return r, nil
	}
	if err != nil {
		return r, usage("what follows -- is run as it stands, without a shell", "cannot run %s: %v", argv[0], err)
	}
	return r, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// write writes what was recorded and says so.
func (f recordFlags) write(p *record.Proxy, r recorded, command []string, o outside) error {
	step := &recording.Step{
		Note: f.note, Exit: r.exit, Error: r.lastError, Stream: r.said, Exchanges: p.Exchanges(), Scenario: filepath.Base(f.out),
	}
	step.Client, step.Name, step.Scheme, step.Final = f.client, f.name, "http", lastLine(string(r.said))
	if f.tls {
		step.Scheme = "https"
	}
	if len(command) > 0 {
		step.Client = cmp.Or(f.client, filepath.Base(command[0]))
		for _, arg := range command {
			step.Input.Argv = append(step.Input.Argv, strings.ReplaceAll(arg, "{registry}", recording.Host))
		}
	}
	if step.Name == "" {
		step.Name = nextStep(f.out, step.Client)
	}
	if err := keepStep(f.out, step, p.Hosts(), secretArguments(command), o.stderr); err != nil {
		return err
	}
	if len(command) > 0 && r.interrupted {
		return interruptedError("interrupted; what was recorded until then is written")
	}
	return nil
}

// keepStep scrubs a step, writes it and says where.
func keepStep(dir string, step *recording.Step, hosts, secrets []string, w io.Writer) error {
	record.Complete(step, hosts, secrets)
	if err := recording.Write(dir, step); err != nil {
		return broken("--out names another folder", err)
	}
	fmt.Fprintf(w, "recorded %s in %s\n", plural(step.Requests, "request"), filepath.Join(dir, step.Name+".json"))
	return nil
}

// nextStep is a name that no step of the folder has and that comes after them.
func nextStep(dir, client string) string {
	number := 0
	for _, path := range found(filepath.Join(dir, "*.json")) {
		digits := filepath.Base(path)
		digits = digits[:len(digits)-len(strings.TrimLeft(digits, "0123456789"))]
		if n, err := strconv.Atoi(digits); err == nil {
			number = max(number, n)
		}
	}
	name := strconv.Itoa(number + 1)
	if client != "" {
		name += "-" + strings.Map(func(r rune) rune {
			if strings.ContainsRune(`/\: `, r) {
				return '-'
			}
			return r
		}, client)
	}
	return name
}

func found(pattern string) []string {
	list, _ := filepath.Glob(pattern) //nolint:errcheck // a pattern of ours
	return list
}

// secretArguments are arguments that look like secrets, by the flag that they
// belong to. What goes over the wire as credentials is hidden anyway; a client
// that never got so far may have them in its arguments all the same.
func secretArguments(command []string) []string {
	var secrets []string
	for i, arg := range command {
		flag, value, inOne := strings.Cut(arg, "=")
		if !strings.HasPrefix(flag, "-") {
			continue
		}
		if !inOne && i+1 < len(command) {
			value = command[i+1]
		}
		flag = strings.ToLower(flag)
		switch {
		case value == "" || strings.HasSuffix(flag, "-stdin") || strings.HasSuffix(flag, "-file"):
		case strings.Contains(flag, "creds"):
			_, password, _ := strings.Cut(value, ":")
			secrets = append(secrets, password)
		case flag == "-p" && !inOne && !strings.ContainsAny(value, ":/"), strings.Contains(flag, "password"), strings.Contains(flag, "passwd"),
			strings.Contains(flag, "token"), strings.Contains(flag, "secret"):
			secrets = append(secrets, value)
		}
	}
	return secrets
}

// interruptedError is what an interrupted command ends with.
func interruptedError(what string) error {
	return &exitError{code: scenarios.ExitInterrupted, err: errors.New(what)}
}
