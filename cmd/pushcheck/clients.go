package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pushcheck/pushcheck/scenarios"
)

// A foreignFlags is how clients that are programs of others are driven.
type foreignFlags struct {
	clients   []string // --clients
	require   []string
	allowExec bool
}

func (f *foreignFlags) flags(flags *pflag.FlagSet) {
	f.folder(flags)
	flags.StringSliceVar(&f.require, "require", nil, "clients of others that must be here and able, as `NAMES` with commas, or all: what would be skipped is an error")
	flags.BoolVar(&f.allowExec, "allow-exec", false, "run the programs that scenarios name with run")
}

// folder is the flag of every command that knows the user's own adapters.
func (f *foreignFlags) folder(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.clients, "clients", nil, "a `FOLDER` with adapters of your own, a YAML file each; may be repeated")
}

// own are the adapters in the folders that the user named.
func (f *foreignFlags) own() ([]scenarios.Adapter, error) {
	var list []scenarios.Adapter
	for _, folder := range f.clients {
		whole, err := filepath.Abs(folder)
		if err != nil {
			return nil, broken("", err)
		}
		found, err := scenarios.LoadAdapters(os.DirFS(whole), folder, whole)
		var wrong *scenarios.Errors
		switch {
		case errors.As(err, &wrong):
			return nil, usage("", "%s in adapters; nothing was run\n%s", plural(len(wrong.Problems), "problem"), strings.TrimRight(wrong.Error(), "\n"))
		case errors.Is(err, fs.ErrNotExist):
			return nil, usage("pushcheck clients new NAME writes a first adapter", "--clients %s: there is no such folder", folder)
		case err != nil:
			return nil, broken("--clients takes a folder", err)
		case len(found) == 0:
			return nil, usage("pushcheck clients new NAME writes a first adapter", "--clients %s: there is no YAML file in it", folder)
		}
		list = scenarios.WithAdapters(list, found)
	}
	return list, nil
}

// foreign is what drives clients of others.
func (f *foreignFlags) foreign(own []scenarios.Adapter, o outside) (*scenarios.Foreign, error) {
	foreign := &scenarios.Foreign{
		Adapters: scenarios.WithAdapters(scenarios.BuiltinAdapters(), own), Path: o.getenv("PATH"), AllowExec: f.allowExec, Require: f.require, Env: o.env,
	}
	for _, name := range f.require {
		known := adapterNames(foreign.Adapters)
		if name != "all" && !slices.Contains(known, name) {
			return nil, usage("pushcheck clients lists them", "--require %s: there is no adapter of that name%s", name, meant(scenarios.Nearest(name, append(known, "all"))))
		}
	}
	return foreign, nil
}

func meant(near string) string {
	if near == "" {
		return ""
	}
	return "; did you mean " + near + "?"
}

func adapterNames(list []scenarios.Adapter) []string {
	var names []string
	for _, a := range list {
		names = append(names, a.Name)
	}
	return names
}

// driver is what drives clients of others; chosen, when not nil, learns their names.
func (f *foreignFlags) driver(chosen *selection, o outside) (*scenarios.Foreign, error) {
	own, err := f.own()
	if err != nil {
		return nil, err
	}
	if chosen != nil {
		chosen.adapters = adapterNames(own)
	}
	return f.foreign(own, o)
}

// knownClient reports a name that is neither an era nor one of names, clients of others.
func knownClient(name string, names []string) error {
	if slices.Contains(names, name) {
		return nil
	}
	_, err := findEra(name)
	if near := scenarios.Nearest(name, names); err != nil && near != "" {
		return usage("pushcheck clients lists them", "there is no client %q; did you mean %s?", name, near)
	}
	return err
}

// A listedClient is one client as clients --json writes it.
type listedClient struct {
	Client  string   `json:"client"`
	Version string   `json:"version,omitempty"`
	Path    string   `json:"path,omitempty"`
	Can     []string `json:"can"`
	About   string   `json:"about,omitempty"`
	Because string   `json:"because,omitempty"` // why it cannot be used
	Get     string   `json:"get,omitempty"`     // how to get it
	Builtin bool     `json:"builtin"`
}

func newClients(o outside) *cobra.Command {
	var f foreignFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "clients",
		Short: "list the clients of others that scenarios can drive, and which are here",
		Long: `clients looks for every client that there is an adapter for: where its program is,
which version it says it is, and what it can do of what scenarios need. Those
that are not here come with the command that gets them.

Adapters of your own come from --clients FOLDER, a YAML file each;
"pushcheck clients new NAME" writes a first one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return listClients(cmd.Context(), f, asJSON, o) },
	}
	f.folder(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.AddCommand(newClientsNew(o), newClientsLint(o))
	return cmd
}

func listClients(ctx context.Context, f foreignFlags, asJSON bool, o outside) error {
	own, err := f.own()
	if err != nil {
		return err
	}
	foreign, err := f.foreign(own, o)
	if err != nil {
		return err
	}
	found := foreign.List(ctx)
	if err := ctx.Err(); err != nil {
		return &exitError{code: scenarios.ExitInterrupted, err: errors.New("interrupted")}
	}
	if asJSON {
		out := json.NewEncoder(o.stdout)
		for _, c := range found {
			one := listedClient{
				Client: c.Adapter.Name, Version: c.Version, Path: c.Path, Can: c.Adapter.Can,
				About: c.Adapter.About, Because: c.Because, Get: c.Adapter.Get, Builtin: c.Adapter.Builtin,
			}
			if err := out.Encode(one); err != nil {
				return broken("", err)
			}
		}
		return nil
	}
	return clientTable(found, o)
}

// clientTable shows those that are here first.
func clientTable(found []scenarios.Found, o outside) error {
	table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
	if slices.ContainsFunc(found, func(c scenarios.Found) bool { return c.Because == "" }) {
		fmt.Fprintln(table, "CLIENT\tVERSION\tPROGRAM\tCAN")
	}
	for _, c := range found {
		if c.Because == "" {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.Adapter.Name, c.Version, c.Path, strings.Join(c.Adapter.Can, " "))
		}
	}
	if err := table.Flush(); err != nil {
		return broken("", err)
	}
	for _, c := range found {
		if c.Because != "" {
			fmt.Fprintf(o.stdout, "%s cannot be used: %s\n", c.Adapter.Name, c.Because)
		}
	}
	return nil
}

// scaffold is an adapter to begin with. It is itself a good one.
const scaffold = `# How pushcheck drives NAME. Every word is one argument; nothing is given to a
# shell. "pushcheck clients lint FILE" checks this file, "pushcheck clients new
# --help" lists the variables and what can: takes.
client: NAME
about: One sentence about it.
get: how to install it
version: [NAME, --version]
# What it can do of what scenarios need; take out what it cannot.
can: [v2, oci, oci-layout, basic, bearer, tls, ca]
push: [NAME, push, "${ARGS}", "${LAYOUT}", "${REF}"]
# Arguments where ${ARGS} stands, each only when a scenario calls for it.
plain: [--plain-http]
insecure: [--insecure]
login: ["--user", "${USER}:${PASSWORD}"]
ca: {file: --ca-file}
# Its words for the codes of the registry API, as regular expressions.
errors:
  UNAUTHORIZED: "(?i)unauthorized"
  DENIED: "(?i)denied"
  TOOMANYREQUESTS: "(?i)too many requests"
`

// newClientsLong says what can stand in an adapter.
func newClientsLong() string {
	var b strings.Builder
	b.WriteString(`new writes NAME.yaml into the working folder: an adapter with every usual part in
it, to be changed until it fits. It never overwrites a file.

The variables of its commands are:

`)
	for _, v := range scenarios.AdapterVariables() {
		fmt.Fprintf(&b, "  ${%s}%s%s\n", v[0], strings.Repeat(" ", 12-len(v[0])), v[1])
	}
	b.WriteString("\nWhat it can do is some of: " + strings.Join(scenarios.AdapterAbilities(), ", ") + ".\n")
	return b.String()
}

func newClientsNew(o outside) *cobra.Command {
	return &cobra.Command{
		Use:   "new NAME",
		Short: "write a first adapter for a client of yours",
		Long:  newClientsLong(),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			if !regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`).MatchString(name) {
				return usage("such as mytool", "%q cannot be the name of a client; want a-z, 0-9, dot, dash and underscore", name)
			}
			text := strings.ReplaceAll(scaffold, "NAME", name)
			if _, err := scenarios.DecodeAdapter(name+".yaml", []byte(text)); err != nil {
				return usage("", "%s", strings.TrimRight(err.Error(), "\n"))
			}
			file, err := os.OpenFile(name+".yaml", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return usage("remove it first, or choose another name", "%s.yaml is there already", name)
			}
			if err == nil {
				_, err = file.WriteString(text)
				err = errors.Join(err, file.Close())
			}
			if err != nil {
				return broken("", err)
			}
			fmt.Fprintf(o.stdout, "wrote %s.yaml; change it until it fits, then:\n  pushcheck clients --clients .\n  pushcheck run --clients . --client %s auth/basic\n", name, name)
			return nil
		},
	}
}

func newClientsLint(o outside) *cobra.Command {
	return &cobra.Command{
		Use:   "lint FILE…",
		Short: "check adapters without running anything",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			all := &scenarios.Errors{}
			for _, name := range args {
				text, err := os.ReadFile(name)
				if err != nil {
					return broken("", err)
				}
				_, err = scenarios.DecodeAdapter(name, text)
				var wrong *scenarios.Errors
				if errors.As(err, &wrong) {
					all.Problems = append(all.Problems, wrong.Problems...)
				}
			}
			if len(all.Problems) > 0 {
				return usage("", "%s in adapters\n%s", plural(len(all.Problems), "problem"), strings.TrimRight(all.Error(), "\n"))
			}
			fmt.Fprintf(o.stdout, "%s, nothing wrong\n", plural(len(args), "adapter"))
			return nil
		},
	}
}
