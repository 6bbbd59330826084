package scenarios_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStoredImageProblems: what is said of an image with manifests of its own is held
// together before anything runs.
func TestStoredImageProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"all of it", "image: {layers: [1KiB], media: oci, platforms: [linux/amd64, linux/arm/v7], missing: [linux/arm/v7], foreign: [layer1], annotations: {a: b}, subject: base}\n" +
			"registry: {has: {a/b: [referrer]}}\nclient: {era: best, platform: linux/amd64, allow-nondistributable-artifacts: true}\n" +
			"expect: {registry: {tags: {v1: index}, referrers: 2}}", nil},
		{"no platform", "image: {platforms: [arm64]}", []string{`3:20+7 platforms: "arm64" is no platform; write OS/ARCHITECTURE[/VARIANT], such as linux/amd64 or linux/arm/v7`}},
		{"a platform twice", "image: {platforms: [linux/amd64, linux/amd64]}", []string{"3:20+26 platforms has linux/amd64 twice"}},
		{"no platform of the client", "client: {era: best, platform: 7}", []string{`3:31+1 platform: "7" is no platform; write OS/ARCHITECTURE[/VARIANT], such as linux/amd64 or linux/arm/v7`}},
		{"missing what is none of them", "image: {platforms: [linux/amd64], missing: [linux/arm64]}", []string{"3:35+22 linux/arm64 is not one of platforms"}},
		{"missing the first", "image: {platforms: [linux/amd64, linux/arm64], missing: [linux/amd64]}", []string{
			"3:48+22 linux/amd64 is the first of platforms, of which the layers are spoken; leave out another",
		}},
		{"annotations of docker's", "image: {media: docker, annotations: {a: b}}", []string{
			"3:24+18 docker's manifests have no annotations; leave media out, or write media: oci",
		}},
		{"a foreign layer too many", "image: {layers: [1KiB], foreign: [layer2]}", []string{"3:25+17 the image has no layer2; it has 1"}},
		{"a referrer to nothing", "registry: {has: {a/b: [referrer]}}", []string{
			`3:18+15 "referrer" is not content; want layer1 and so on (the bottom one first), config, manifest or a digest`,
		}},
		{"of a file", "image: {file: app.tar, platforms: [linux/amd64]}", []string{
			"3:9+13 what is loaded has its own manifests; leave out media, platforms, foreign, annotations and subject",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, problemsOf(t, good+tt.src+"\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
