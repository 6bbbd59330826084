package pusher

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseName(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	host := func(index, remote string) Name {
		return Name{Index: index, Local: index + "/" + remote, Remote: remote, Canonical: index + "/" + remote}
	}
	hub := func(local, remote string, official bool) Name {
		return Name{Index: "docker.io", Local: local, Remote: remote, Canonical: "docker.io/" + remote, Official: official}
	}
	tests := map[string]Name{
		"127.0.0.1:5000/lib/app":      host("127.0.0.1:5000", "lib/app"),
		"localhost/x":                 host("localhost", "x"),
		"localhost:5000/x":            host("localhost:5000", "x"),
		"registry.example/a/b/c":      host("registry.example", "a/b/c"),
		"registry:5000/a_b.c-d/e":     host("registry:5000", "a_b.c-d/e"),
		"registry.example/library/up": host("registry.example", "library/up"),
		"ubuntu":                      hub("ubuntu", "library/ubuntu", true),
		"library/ubuntu":              hub("ubuntu", "library/ubuntu", true),
		"docker.io/ubuntu":            hub("ubuntu", "library/ubuntu", true),
		"index.docker.io/ubuntu":      hub("ubuntu", "library/ubuntu", true),
		"a/b":                         hub("a/b", "a/b", false),
		"docker.io/a/b":               hub("a/b", "a/b", false),
		"docker.io/library/a/b":       hub("a/b", "a/b", false),
		"registry/a":                  hub("registry/a", "registry/a", false),
		hex + "/a":                    hub(hex+"/a", hex+"/a", false),
		hex[1:]:                       hub(hex[1:], "library/"+hex[1:], true),
	}
	for in, want := range tests {
		got, err := ParseName(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

func TestParseNameErrors(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	const component = `repository name component must match "[a-z0-9]+(?:[._-][a-z0-9]+)*"`
	tests := map[string]string{
		"https://registry.example/a":     `Invalid repository name (ex: "registry.domain.tld/myrepos")`,
		hex:                              "Invalid repository name (" + hex + "), cannot specify 64-byte hexadecimal strings",
		"docker.io/" + hex:               "Invalid repository name (" + hex + "), cannot specify 64-byte hexadecimal strings",
		"-registry.example/a":            "Invalid index name (-registry.example). Cannot begin or end with a hyphen.",
		"registry.example-/A":            "Invalid index name (registry.example-). Cannot begin or end with a hyphen.",
		"":                               "repository name must have at least one component",
		"localhost/":                     "repository name must have at least one component",
		"a/" + strings.Repeat("b", 254):  "repository name must not be more than 255 characters",
		"localhost/A":                    component,
		"localhost/a//b":                 component,
		"localhost/a/":                   component,
		"localhost/a__b":                 component,
		"localhost/a--b":                 component,
		"localhost/_a":                   component,
		"localhost/a.":                   component,
		"localhost/a b":                  component,
		"localhost/a\n":                  component,
		"localhost/ä":                    component,
		"registry.example/a:latest":      component,
		"registry.example:5000/a@sha256": component,
	}
	for in, want := range tests {
		if _, err := ParseName(in); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
	if _, err := ParseName("a/" + strings.Repeat("b", 253)); err != nil {
		t.Errorf("255 characters: %v", err)
	}
}

// TestLaterNames: docker 1.9 takes hyphens in a row, 1.10 and later the grammar of
// references, each with words of its own.
func TestLaterNames(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	for _, tt := range []struct {
		era        Era
		name, want string // "" is none wrong
	}{
		{Docker18(), "localhost/a--b", `repository name component must match "[a-z0-9]+(?:[._-][a-z0-9]+)*"`},
		{Docker19(), "localhost/a--b", ""},
		{Docker19(), "localhost/a-", "repository name component must match \"" + labelPattern + "\""},
		{Docker19(), "localhost/a.-b", "repository name component must match \"" + labelPattern + "\""},
		{Docker19(), "localhost/a__b", "repository name component must match \"" + labelPattern + "\""},
		{Docker110(), "localhost/a__b", ""},
		{Docker110(), "localhost/a---b", ""},
		{Docker110(), "localhost/A", `Error parsing reference: "localhost/A" is not a valid repository/tag`},
		{Docker113(), "localhost/a:b", `Error parsing reference: "localhost/a:b" is not a valid repository/tag`},
		{Docker2010(), "localhost/A", "invalid reference format: repository name (A) must be lowercase"},
		{Docker28(), "localhost/a_", "invalid reference format"},
		{Docker28(), hex, "invalid repository name (" + hex + "), cannot specify 64-byte hexadecimal strings"},
		{Containerd(), "127.0.0.1:5000/lib/app", ""},
		{Best(), "ubuntu", ""},
	} {
		got, err := tt.era.Names.Parse(tt.name)
		if said := fmt.Sprint(err); err != nil && said != tt.want || err == nil && tt.want != "" {
			t.Errorf("%s, %s: %v, want %s", tt.era.Name, tt.name, err, tt.want)
		}
		if old, oldErr := ParseName(tt.name); err == nil && oldErr == nil && got != old {
			t.Errorf("%s, %s: %+v, and docker 1.8 has %+v", tt.era.Name, tt.name, got, old)
		}
	}
	for tag, want := range map[string]string{"v1": "<nil>", "": "<nil>", "a b": "invalid tag format", "sha256:0": "<nil>"} {
		if err := Docker28().Names.checkTag(tag); fmt.Sprint(err) != want {
			t.Errorf("tag %q: %v, want %s", tag, err, want)
		}
		if err := Docker18().Names.checkTag(tag); err != nil {
			t.Errorf("docker 1.8 looks at tag %q: %v", tag, err)
		}
	}
}

// TestLongestNames: the limit of 255 characters is on the path alone, on what was written,
// or on all that it stands for. Real dockerd 20.10.24 and 28's grammar say so.
func TestLongestNames(t *testing.T) {
	t.Parallel()
	const tooLong = "repository name must not be more than 255 characters"
	name := func(prefix string, n int) string { return prefix + strings.Repeat("a", n-len(prefix)) }
	path := "localhost/" + strings.Repeat("a", 255)
	no := func(name string) string {
		return fmt.Sprintf("Error parsing reference: %q is not a valid repository/tag", name)
	}
	for _, tt := range []struct {
		era        Era
		name, want string // "" is none wrong
	}{
		{Docker18(), path, ""},
		{Docker19(), path + "a", tooLong},
		{Docker110(), name("localhost/", 255), ""},
		{Docker110(), name("localhost/", 256), no(name("localhost/", 256))},
		{Docker113(), name("u/", 255), ""}, // as written, without docker.io
		{Docker113(), name("docker.io/u/", 256), no(name("docker.io/u/", 256))},
		{Docker2010(), name("127.0.0.1:5000/", 255), ""},
		{Docker2010(), name("127.0.0.1:5000/", 256), tooLong},
		{Docker2010(), path, tooLong},
		{Docker2010(), name("u/", 245), ""},
		{Docker2010(), name("u/", 246), tooLong}, // docker.io/ comes before it
		{Docker28(), path, ""},
		{Docker28(), path + "a", tooLong},
		{Containerd(), path, ""},
		{Best(), path, ""},
		{Best(), path + "a", tooLong},
	} {
		_, err := tt.era.Names.Parse(tt.name)
		if said := fmt.Sprint(err); err != nil && said != tt.want || err == nil && tt.want != "" {
			t.Errorf("%s, %d characters: %v, want %s", tt.era.Name, len(tt.name), err, tt.want)
		}
	}
}
