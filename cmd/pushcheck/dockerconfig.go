package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/pushcheck/pushcheck/pusher"
)

// dockerHub is the key under which docker keeps the credentials of docker.io.
const dockerHub = "https://index.docker.io/v1/"

// A dockerConfig is what pushcheck reads of docker's config.json.
type dockerConfig struct {
	Auths map[string]struct {
		Auth          string `json:"auth"`
		IdentityToken string `json:"identitytoken"`
		RegistryToken string `json:"registrytoken"`
	} `json:"auths"`
	CredHelpers map[string]string `json:"credHelpers"`
	CredsStore  string            `json:"credsStore"`
}

// readDockerConfig reads docker's configuration from DOCKER_CONFIG, or from
// ~/.docker. A file that is not there is an empty one.
func readDockerConfig(o outside) (dockerConfig, string, error) {
	var c dockerConfig
	dir := o.getenv("DOCKER_CONFIG")
	if dir == "" {
		home := o.getenv("HOME")
		if home == "" {
			home = o.getenv("USERPROFILE")
		}
		if home == "" {
			return c, "", nil
		}
		dir = filepath.Join(home, ".docker")
	}
	path := filepath.Join(dir, "config.json")
	data, err := readSmall(path, configLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return c, path, nil
	}
	if err != nil {
		return c, path, err
	}
	// As docker's own command reads it: nothing is no settings, and what follows the
	// object does not matter.
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return dockerConfig{}, path, configError(path, data, err)
	}
	return c, path, nil
}

// configLimit is how large docker's config.json may be, bytes.
const configLimit = 8 << 20

// configError says what is wrong with docker's config.json, and where, without a word
// out of it: it holds secrets.
func configError(path string, data []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: %w", position(path, data, syntax.Offset), err)
	case errors.As(err, &kind):
		want := "an object"
		if kind.Type.Kind() == reflect.String {
			want = "a string"
		}
		where, article := "it", "a"
		if kind.Field != "" {
			where = printable(kind.Field)
		}
		if strings.HasPrefix(kind.Value, "a") {
			article = "an"
		}
		return fmt.Errorf("%s: %s is %s %s; docker writes %s there", position(path, data, kind.Offset), where, article, kind.Value, want)
	}
	return fmt.Errorf("%s: it is cut off", path)
}

// position is the line and column, counted in bytes from 1, of what was read last.
func position(path string, data []byte, offset int64) string {
	before := data[:min(max(offset-1, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	return fmt.Sprintf("%s:%d:%d", path, line, len(before)-bytes.LastIndexByte(before, '\n'))
}

// readSmall reads a regular file of a bounded size: opening anything else may wait for
// ever, and reading it need not end.
//
// Errors: of the disk; the file's kind and size, with its path.
func readSmall(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: it is no regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(data)) > most {
		return nil, fmt.Errorf("%s: it is larger than %d MiB", path, most>>20)
	}
	return data, err
}

// credentials finds what docker would use for a registry: its own helper, the
// store of all credentials, or the file itself, in this order. Nothing found is
// no error.
func (c dockerConfig) credentials(ctx context.Context, registry string) (pusher.Credentials, error) {
	key := registry
	if registry == "docker.io" {
		key = dockerHub
	}
	helper := c.CredsStore
	if h, ok := c.CredHelpers[registry]; ok {
		helper = h
	}
	if helper != "" {
		return fromHelper(ctx, helper, key)
	}
	entry, ok := c.Auths[key]
	if !ok {
		for k, e := range c.Auths {
			if hostname(k) == registry {
				entry, ok = e, true
			}
		}
	}
	if !ok {
		return pusher.Credentials{}, nil
	}
	found := pusher.Credentials{IdentityToken: entry.IdentityToken, RegistryToken: entry.RegistryToken}
	if entry.Auth == "" {
		return found, nil
	}
	plain, err := base64.StdEncoding.DecodeString(entry.Auth)
	if err != nil {
		return found, fmt.Errorf("the entry for %s is not base64", registry)
	}
	user, password, ok := strings.Cut(string(plain), ":")
	if !ok {
		return found, fmt.Errorf("the entry for %s is not a user and a password", registry)
	}
	found.Username, found.Password = user, strings.TrimRight(password, "\x00")
	return found, nil
}

// hostname drops what old dockers put round a host: "https://host/v1/".
func hostname(key string) string {
	if _, rest, ok := strings.Cut(key, "://"); ok {
		key = rest
	}
	host, _, _ := strings.Cut(key, "/")
	return host
}

// A helperProgram is a credential helper that ends with a context.
type helperProgram struct{ cmd *exec.Cmd }

// Output implements client.Program.
func (p *helperProgram) Output() ([]byte, error) {
	out, err := p.cmd.Output()
	if errors.Is(err, exec.ErrWaitDelay) { // it ended well
		err = nil
	}
	return out, err
}

// Input implements client.Program.
func (p *helperProgram) Input(in io.Reader) { p.cmd.Stdin = in }

// fromHelper asks docker-credential-<name>. A user "<token>" means that the
// secret is an identity token.
func fromHelper(ctx context.Context, name, key string) (pusher.Credentials, error) {
	found, err := client.Get(func(args ...string) client.Program {
		cmd := exec.CommandContext(ctx, "docker-credential-"+name, args...)
		cmd.Stderr = os.Stderr
		cmd.WaitDelay = 500 * time.Millisecond // what it started may hold on to its output
		return &helperProgram{cmd}
	}, key)
	if credentials.IsErrCredentialsNotFound(err) {
		return pusher.Credentials{}, nil
	}
	if err != nil {
		return pusher.Credentials{}, fmt.Errorf("docker-credential-%s: %w", name, err)
	}
	if found.Username == "<token>" {
		return pusher.Credentials{IdentityToken: found.Secret}, nil
	}
	return pusher.Credentials{Username: found.Username, Password: found.Secret}, nil
}
