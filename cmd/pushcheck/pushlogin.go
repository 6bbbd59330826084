package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
)

// credentials are what the flags say, or else what docker has. They are never
// shown.
func (f pushFlags) credentials(ctx context.Context, host string, o outside) (pusher.Credentials, error) {
	if strings.Contains(f.user, ":") {
		return pusher.Credentials{}, usage("write --user NAME --password-stdin and give the password on standard input",
			"--user takes a name alone: a password on the command line can be read by every user of the machine")
	}
	if f.passwordStdin && f.user == "" {
		return pusher.Credentials{}, usage("write --user NAME too", "--password-stdin without --user")
	}
	if f.user != "" && !f.passwordStdin {
		return pusher.Credentials{}, usage("write --password-stdin and give the password on standard input", "--user without --password-stdin")
	}
	if f.user == "" {
		return credentialsOfDocker(ctx, host, o)
	}
	line, err := firstLine(ctx, o.stdin)
	switch {
	case ctx.Err() != nil:
		return pusher.Credentials{}, pushError(ctx, ctx.Err())
	case err != nil:
		return pusher.Credentials{}, broken("", fmt.Errorf("standard input: %w", err))
	}
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return pusher.Credentials{}, usage("", "standard input holds no password")
	}
	return pusher.Credentials{Username: f.user, Password: password}, nil
}

// credentialsOfDocker are what docker has for a registry.
func credentialsOfDocker(ctx context.Context, host string, o outside) (pusher.Credentials, error) {
	config, path, err := readDockerConfig(o)
	if err != nil {
		return pusher.Credentials{}, broken("docker wrote this file; DOCKER_CONFIG names another folder", err)
	}
	found, err := config.credentials(ctx, host)
	switch {
	case ctx.Err() != nil:
		return pusher.Credentials{}, pushError(ctx, ctx.Err())
	case err != nil:
		return pusher.Credentials{}, broken("docker's configuration names it; --user and --password-stdin do without", fmt.Errorf("%s: %w", path, err))
	}
	return found, nil
}

// longestLine is how long a password may be, bytes.
const longestLine = 64 << 10

// firstLine reads a line. A read that goes on when ctx has ended is left behind: it
// ends with the process.
func firstLine(ctx context.Context, r io.Reader) (string, error) {
	type read struct {
		line string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		line, err := bufio.NewReader(io.LimitReader(r, longestLine)).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		if len(line) == longestLine {
			line, err = "", fmt.Errorf("its first line, the password, is longer than %d bytes", longestLine-1)
		}
		got <- read{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-got:
		return r.line, r.err
	}
}
