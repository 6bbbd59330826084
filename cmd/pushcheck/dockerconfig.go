package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, path, nil
	}
	if err != nil {
		return c, path, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, path, fmt.Errorf("%s: %w", path, err)
	}
	return c, path, nil
}

// credentials finds what docker would use for a registry: its own helper, the
// store of all credentials, or the file itself, in this order. Nothing found is
// no error.
func (c dockerConfig) credentials(registry string) (pusher.Credentials, error) {
	key := registry
	if registry == "docker.io" {
		key = dockerHub
	}
	helper := c.CredsStore
	if h, ok := c.CredHelpers[registry]; ok {
		helper = h
	}
	if helper != "" {
		return fromHelper(helper, key)
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

// fromHelper asks docker-credential-<name>. A user "<token>" means that the
// secret is an identity token.
func fromHelper(name, key string) (pusher.Credentials, error) {
	found, err := client.Get(client.NewShellProgramFunc("docker-credential-"+name), key)
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
