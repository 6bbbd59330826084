package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/scenarios"
)

type proxyFlags struct {
	upstream, scenario, listen, ca, writeCA, trace string
	aliases                                        []string
	tls, insecure, expose                          bool
	seed                                           uint64
}

func newProxy(o outside) *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy --upstream URL",
		Short: "put a registry of your own behind faults",
		Long: `proxy stands in front of a registry: it passes on what any client asks and what the
registry answers, unchanged but for the addresses that must lead back through it,
and logs each exchange until it is interrupted. With --scenario, that file's faults
strike between the client and the proxy; those that strike inside a registry cannot.
In the end it says which faults struck.

Clients bring their own credentials.`,
		Example: `  pushcheck proxy --upstream http://127.0.0.1:5000
  pushcheck proxy --upstream https://registry.example --scenario reset.yaml --listen 127.0.0.1:5001`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.serve(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.upstream, "upstream", "", "the registry's `URL`: https://HOST[:PORT] or http://HOST[:PORT]; that of --scenario unless given")
	flags.StringVar(&f.scenario, "scenario", "", "take the faults of this scenario `FILE` or built-in one")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "the `ADDRESS`; port 0 is a free one")
	flags.BoolVar(&f.expose, "expose", false, "allow an address that other machines can reach")
	flags.StringVar(&f.ca, "ca", "", "trust the certificates in this `FILE`, PEM, when speaking to the registry, instead of the system's")
	flags.BoolVar(&f.insecure, "insecure", false, "do not check the registry's certificate")
	flags.StringSliceVar(&f.aliases, "alias", nil, "another `URL` by which the registry names itself in a Location or a realm; may be repeated")
	flags.BoolVar(&f.tls, "tls", false, "speak TLS to clients, with a certificate authority made for this run")
	flags.StringVar(&f.writeCA, "write-ca", "", "with --tls, write the authority's certificate to this `FILE`; a temporary one unless given")
	flags.StringVar(&f.trace, "trace", "", "write what went over the wire to this `FILE` in the end, without secrets")
	flags.Uint64Var(&f.seed, "seed", 1, "of faults that use chance")
	_ = cmd.RegisterFlagCompletionFunc("scenario", completeScenarios)
	return cmd
}

func (f proxyFlags) serve(ctx context.Context, o outside) error {
	s, err := f.scene(o)
	if err != nil {
		return err
	}
	own := serveFlags{listen: f.listen, expose: f.expose, seed: f.seed, ca: f.writeCA}
	hint := "see whether --upstream is right and the registry is there; --listen takes another address of the proxy's own"
	served, log, err := own.attend(ctx, s, limits(0, f.trace), hint, o)
	if err != nil {
		return err
	}
	return f.conclude(served, log, o)
}

// scene is what to serve: the faults of a file in front of the registry.
func (f proxyFlags) scene(o outside) (*scenarios.Scenario, error) {
	s, err := serveFlags{scenario: f.scenario}.load("proxy", o)
	if err != nil {
		return nil, err
	}
	registry := scenarios.Registry{Kind: scenarios.KindExternal}
	if len(s.Registries) > 0 && s.Registries[0].Kind == scenarios.KindExternal {
		registry = s.Registries[0]
	}
	if f.upstream != "" {
		registry.URL = f.upstream
	}
	if registry.URL == "" {
		return nil, usage("write --upstream https://HOST[:PORT]", "there is no registry to stand in front of")
	}
	registry.Aliases = append(registry.Aliases, f.aliases...)
	registry.TLS, registry.Insecure = registry.TLS || f.tls, registry.Insecure || f.insecure
	if f.ca != "" {
		registry.CA = ""
		if registry.CAPEM, _, err = readCA("ca", f.ca); err != nil {
			return nil, err
		}
	}
	changed := scenarios.Scenario{
		ID: s.ID, Title: s.Title, Name: s.Name, Position: s.Position, Files: s.Files, Path: s.Path, Positions: s.Positions, Lines: s.Lines,
		Registries: []scenarios.Registry{registry}, Image: s.Image, Client: s.Client, Faults: s.Faults, Seed: s.Seed,
		Steps: []scenarios.Step{{Push: "any/thing:latest"}},
	}
	if err := scenarios.Validate(&changed); err != nil {
		var problems *scenarios.Errors
		if f.scenario == "" && errors.As(err, &problems) {
			return nil, usage("", "--upstream: %s", problems.Problems[0].Message)
		}
		return nil, loadError(err)
	}
	return &changed, nil
}

// conclude says what happened.
func (f proxyFlags) conclude(served *scenarios.Served, log *exchangeLog, o outside) error {
	fmt.Fprintf(o.stdout, "passed on  %s\n", plural(log.count(), "exchange"))
	for _, c := range served.Struck() {
		if c.Times == 0 {
			fmt.Fprintf(o.stdout, "fault      %s never struck\n", c.Fault)
		} else {
			fmt.Fprintf(o.stdout, "fault      %s struck %s\n", c.Fault, plural(c.Times, "time"))
		}
	}
	if f.trace == "" {
		return nil
	}
	if err := writeTrace(f.trace, served.Registries[0].Server.Trace(), pusher.Credentials{}); err != nil {
		return broken("", err)
	}
	return nil
}
