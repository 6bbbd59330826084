package engine_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestPushPlatform: the docker command's --platform picks an image of an index where
// the era has indexes, and is held against the local one where it has not (P-017).
func TestPushPlatform(t *testing.T) {
	t.Parallel()
	r := registry(t, fakeregistry.Config{})
	arm, s390 := url.QueryEscape(`{"os":"linux","architecture":"arm64","variant":"v8"}`), url.QueryEscape(`{"os":"linux","architecture":"s390x"}`)
	for _, row := range []struct {
		name  string
		era   func() pusher.Era
		query string
		code  int
		want  string
	}{
		{"all of it", pusher.Containerd, "", 200, "index"},
		{"one of it", pusher.Containerd, "&platform=" + arm, 200, "manifest"},
		{"an API that has no platform", pusher.Containerd, "&platform=" + arm, 200, "index"},
		{"none of it", pusher.Containerd, "&platform=" + s390, 200, "does not provide the specified platform (linux/s390x)"},
		{"no platform", pusher.Containerd, "&platform=x", 400, "failed to parse platform"},
		{"half a platform", pusher.Containerd, "&platform=" + url.QueryEscape(`{"os":"linux"}`), 400, "both OS and Architecture must be provided"},
		{"the graph's own", pusher.Docker28, "&platform=" + url.QueryEscape(`{"os":"linux","architecture":"amd64"}`), 200, "manifest"},
		{"another than the graph's", pusher.Docker28, "&platform=" + arm, 404, "does not match the specified platform (linux/arm64/v8)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := start(t, func(e *pusher.Era) { *e = row.era() })
			name := r.Host() + "/lib/app"
			made, err := b.store.MakeStored(t.Context(), image.Recipe{Layers: []int64{4}}, image.Stored{Media: image.MediaOCI, Platforms: []string{"linux/amd64", "linux/arm64"}})
			require.NoError(t, err)
			require.NoError(t, b.store.TagContent("lib/app", "latest", made[0].Image, made[0].Content))
			require.Equal(t, 201, b.do("POST", "/images/lib/app/tag?repo="+name, nil).status) // it stands for the index, too
			version := "/v1.46"
			if row.name == "an API that has no platform" {
				version = "/v1.45"
			}
			a := b.do("POST", version+"/images/"+name+"/push?tag=latest"+row.query, nil, "X-Registry-Auth", anybody)
			assert.Equal(t, row.code, a.status, a.body)
			switch row.want {
			case "index":
				assert.Contains(t, a.body, "latest: digest: "+made[0].Content.String())
			case "manifest":
				assert.Contains(t, a.body, "latest: digest: sha256:")
				assert.NotContains(t, a.body, made[0].Content.String())
			default:
				assert.Contains(t, a.body, row.want)
			}
		})
	}
}
