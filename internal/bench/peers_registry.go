package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// A peerRegistry is a registry in a process of its own, to which everybody pushes.
type peerRegistry struct {
	name string
	host string
	end  func() error
	// empty forgets what was pushed, and take is the traffic since it was called last,
	// which is not known (ok is false) of registries of others.
	empty func(ctx context.Context) error
	take  func(ctx context.Context) (t traffic, ok bool, err error)
}

// startSink starts the sink of this very program.
func startSink(ctx context.Context, _ string) (*peerRegistry, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", "sink")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var host, control string
	if _, err := fmt.Fscanln(stdout, &host, &control); err != nil {
		return nil, fmt.Errorf("the sink said no address: %w", err)
	}
	ask := func(ctx context.Context, what string) (t traffic, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+control+"/"+what, nil)
		if err != nil {
			return t, err
		}
		resp, err := http.DefaultClient.Do(req) //nolint:forbidigo // on loopback, for as long as the run
		if err != nil {
			return t, err
		}
		defer resp.Body.Close()
		return t, json.NewDecoder(resp.Body).Decode(&t)
	}
	return &peerRegistry{
		name: "sink", host: host,
		end:   func() error { return errors.Join(stdin.Close(), cmd.Wait()) },
		empty: func(ctx context.Context) error { _, err := ask(ctx, "forget"); return err },
		take: func(ctx context.Context) (traffic, bool, error) {
			t, err := ask(ctx, "take")
			return t, true, err
		},
	}, nil
}

// distributionVersion is the registry of today, which bench builds for itself.
const distributionVersion = "v3.1.2"

// startDistribution builds and starts distribution.
func startDistribution(ctx context.Context, dir string) (*peerRegistry, error) {
	program := filepath.Join(dir, "bin", "registry")
	if err := install(ctx, "github.com/distribution/distribution/v3/cmd/registry@"+distributionVersion, filepath.Dir(program)); err != nil {
		return nil, err
	}
	return startFiles(ctx, dir, "distribution "+distributionVersion, program)
}

func startDebian(ctx context.Context, dir string) (*peerRegistry, error) {
	return startFiles(ctx, dir, "docker-registry 2.8.2", "docker-registry")
}

// startFiles starts a registry of distribution's line that keeps its blobs below dir.
func startFiles(ctx context.Context, dir, name, program string) (*peerRegistry, error) {
	storage, config := filepath.Join(dir, "storage"), filepath.Join(dir, "config.yml")
	text := "version: 0.1\nlog: {level: info}\nstorage:\n  filesystem: {rootdirectory: " + storage + "}\nhttp: {addr: '127.0.0.1:0'}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", config)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	listening := regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)
	said := bufio.NewReader(stderr)
	host := ""
	for host == "" {
		line, err := said.ReadString('\n')
		if m := listening.FindStringSubmatch(line); m != nil {
			host = m[1]
		} else if err != nil {
			return nil, fmt.Errorf("%s said no address: %w", name, err)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return &peerRegistry{
		name: name, host: host,
		end: func() error {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
			return os.RemoveAll(storage)
		},
		empty: func(context.Context) error { return os.RemoveAll(filepath.Join(storage, "docker")) },
		take:  func(context.Context) (traffic, bool, error) { return traffic{}, false, nil },
	}, nil
}
