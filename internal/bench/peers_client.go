package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A peerClient is a program that pushes an OCI layout.
type peerClient struct {
	name     string
	verifies bool // the bytes that it sends, against their digest
	command  func(layout, host, repository string) []string
}

// ours is the first of the clients.
const ours = "pushcheck"

// peerSources are the clients that bench builds for itself.
var peerSources = []string{
	"github.com/google/go-containerregistry/cmd/crane@v0.22.1",
	"oras.land/oras/cmd/oras@v1.3.6",
	"github.com/regclient/regclient/cmd/regctl@v0.11.7",
}

// peerClients are the clients, of which bin has those that bench built.
func peerClients(bin string) []peerClient {
	pushcheck, crane, oras, regctl := filepath.Join(bin, "pushcheck"), filepath.Join(bin, "crane"), filepath.Join(bin, "oras"), filepath.Join(bin, "regctl")
	return []peerClient{
		{ours, true, func(layout, host, repository string) []string {
			return []string{pushcheck, "push", layout, host + "/" + repository + ":" + layoutTag, "--era", "best"}
		}},
		{"crane push", false, func(layout, host, repository string) []string {
			return []string{crane, "push", "--insecure", layout, host + "/" + repository + ":" + layoutTag}
		}},
		{"oras cp", false, func(layout, host, repository string) []string {
			return []string{oras, "cp", "--from-oci-layout", layout + ":" + layoutTag, "--to-plain-http", host + "/" + repository + ":" + layoutTag}
		}},
		{"regctl image copy", true, func(layout, host, repository string) []string {
			return []string{regctl, "image", "copy", "ocidir://" + layout + ":" + layoutTag, host + "/" + repository + ":" + layoutTag}
		}},
		{"skopeo copy", true, func(layout, host, repository string) []string {
			return []string{"skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:" + layout + ":" + layoutTag, "docker://" + host + "/" + repository + ":" + layoutTag}
		}},
	}
}

// lookUp says which programs are missing.
func lookUp() error {
	where := map[string]string{
		"skopeo":          "Debian's package skopeo",
		"docker-registry": "Debian's package docker-registry",
	}
	var missing []string
	for _, name := range []string{"skopeo", "docker-registry"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, fmt.Sprintf("%s (%s)", name, where[name]))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not on PATH: %s", strings.Join(missing, ", "))
	}
	return nil
}

// A meter runs programs and measures them.
type meter struct {
	program string // cmd of the folder meter
	home    string // theirs
}

// A measured push is what one push took.
type measured struct {
	Wall, CPU time.Duration
	Peak      int64
	Exit      int
	traffic   traffic
	counted   bool
}

func (m meter) run(ctx context.Context, args []string) (measured, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return measured{}, err
	}
	cmd := exec.CommandContext(ctx, m.program, append([]string{path}, args[1:]...)...)
	cmd.Env = append(os.Environ(), "HOME="+m.home, "XDG_CACHE_HOME=", "XDG_RUNTIME_DIR="+m.home, "DOCKER_CONFIG=", "REGCTL_CONFIG="+filepath.Join(m.home, "regctl.json"))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return measured{}, fmt.Errorf("%v: %w\n%s", args, err, said.String())
	}
	var u measured
	if err := json.Unmarshal(out, &u); err != nil {
		return u, err
	}
	if u.Exit != 0 {
		return u, fmt.Errorf("%v: exit %d\n%s", args, u.Exit, said.String())
	}
	return u, nil
}

// freshHome makes clients forget what they pushed before, and tells regctl that a host
// speaks plain HTTP.
func (m meter) freshHome(host string) error {
	if err := os.RemoveAll(m.home); err != nil {
		return err
	}
	if err := os.MkdirAll(m.home, 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"hosts": map[string]any{host: map[string]string{"tls": "disabled", "hostname": host}}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.home, "regctl.json"), data, 0o600)
}
