package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/engine"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

type engineFlags struct {
	listen, images, era, certs string
	insecure, mirrors          []string
	expose, v2only, quiet      bool
}

func newEngine(o outside) *cobra.Command {
	var f engineFlags
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "be the engine that a docker command line talks to",
		Long: `engine speaks docker's Engine API as far as pushing needs it, and pushes as the
docker of an era does. Point any docker command line at it with DOCKER_HOST. An
interrupt ends it, and the pushes under way.`,
		Example: `  pushcheck engine --listen 127.0.0.1:2375
  DOCKER_HOST=tcp://127.0.0.1:2375 docker load -i app.tar
  DOCKER_HOST=tcp://127.0.0.1:2375 docker push 127.0.0.1:5000/lib/app`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serveEngine(cmd.Context(), f, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:2375", "listen on this `ADDRESS`: HOST:PORT or unix://PATH (a socket for its owner alone)")
	flags.BoolVar(&f.expose, "expose", false, "allow an address that is not loopback")
	flags.StringVar(&f.images, "images", "", "keep images in this `FOLDER` (default: one that goes with the engine)")
	flags.StringVar(&f.era, "era", "docker-1.8", "push as this `docker` does")
	flags.StringSliceVar(&f.insecure, "insecure-registry", nil, "allow plain HTTP, and any certificate, with this `HOST` or network (repeat)")
	flags.StringSliceVar(&f.mirrors, "registry-mirror", nil, "a mirror of docker.io, http(s)://`HOST` (repeat)")
	flags.StringVar(&f.certs, "certs-dir", "", "docker's certs.d `FOLDER`: HOST/*.crt are believed, and nothing else, for that host")
	flags.BoolVar(&f.v2only, "disable-legacy-registry", false, "never speak V1")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "do not log requests")
	_ = cmd.RegisterFlagCompletionFunc("era", fixed(eraNames()...))
	return cmd
}

func serveEngine(ctx context.Context, f engineFlags, o outside) error {
	era, err := findEra(f.era)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "pushcheck-engine-")
	if err != nil {
		return broken("", err)
	}
	defer os.RemoveAll(temp)
	dir := f.images
	if dir == "" {
		dir = filepath.Join(temp, "images")
	}
	store, err := image.Open(dir)
	if err != nil {
		return broken("--images names another folder", err)
	}
	defer store.Close()
	client, err := pusher.New(pusher.Config{
		Era: era, Images: store, TempDir: temp, InsecureRegistries: f.insecure, Mirrors: f.mirrors, CertsDir: f.certs, V2Only: f.v2only,
		Metadata: metadata.Open(filepath.Join(dir, "distribution")),
	})
	if err != nil {
		return usage("", "%v", err)
	}
	log := slog.New(slog.DiscardHandler)
	if !f.quiet {
		log = newLog(o.stderr, slog.LevelInfo)
	}
	e, err := engine.New(ctx, engine.Config{
		Images: store, Client: client, Era: era, InsecureRegistries: f.insecure, Mirrors: f.mirrors, TempDir: temp, Log: log,
	})
	if err != nil {
		return broken("", err)
	}
	defer e.Close()
	l, err := engine.Listen(ctx, f.listen, f.expose)
	if err != nil {
		return broken("--listen names another address", err)
	}
	host := "unix://" + l.Addr().String()
	if l.Addr().Network() == "tcp" {
		host = "tcp://" + l.Addr().String()
	} else if path, ok := cutUnix(f.listen); ok {
		host = "unix://" + path
	}
	fmt.Fprintf(o.stdout, "export DOCKER_HOST=%s\nready; an interrupt ends it\n", host)
	if err := e.Serve(ctx, l); err != nil {
		return broken("", err)
	}
	return nil
}

// cutUnix is the path of unix://PATH, whole.
func cutUnix(address string) (string, bool) {
	const prefix = "unix://"
	if len(address) <= len(prefix) || address[:len(prefix)] != prefix {
		return "", false
	}
	path, err := filepath.Abs(address[len(prefix):])
	return path, err == nil
}
