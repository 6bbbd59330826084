package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// TestPushForPlatform: --platform takes of an index the image for it, and says which
// there are where it has none.
func TestPushForPlatform(t *testing.T) {
	t.Parallel()
	loaded := []image.Loaded{
		{Name: "many", Image: "a", Content: "index", Platform: "linux/amd64"},
		{Name: "many", Image: "b", Content: "index", Platform: "linux/arm64", Other: true},
		{Name: "one", Image: "c", Content: "manifest", Platform: "linux/arm/v7"},
	}
	for _, row := range []struct{ name, platform, image, problem string }{
		{"many", "", "a", ""},
		{"many", "linux/amd64", "a", ""},
		{"many", "linux/arm64/v8", "b", ""},
		{"many", "linux/arm/v7", "", "the image is not there for linux/arm/v7; it is there for linux/amd64, linux/arm64"},
		{"one", "linux/arm", "c", ""},
		{"one", "linux/arm64", "", "it is there for linux/arm/v7"},
		{"one", "arm64", "", `"arm64" is no platform; write OS/ARCHITECTURE[/VARIANT]`},
		{"one", "linux/", "", `"linux/" is no platform`},
	} {
		chosen, err := choose(loaded, target{tag: "v1"}, row.name, false)
		require.NoError(t, err)
		platform, err := pushFlags{platform: row.platform}.forPlatform(loaded, chosen)
		if row.problem != "" {
			require.ErrorContains(t, err, row.problem)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, row.image, chosen["v1"].Image)
		require.Equal(t, row.platform == "", platform == nil)
	}
}

// TestPushable: an era that makes manifests of layers pushes the images of a layout, and
// names those who push its artifacts where there is nothing else.
func TestPushable(t *testing.T) {
	t.Parallel()
	app, sbom := image.Loaded{Name: "app", Tag: "v1"}, image.Loaded{Name: "sbom", Tag: "v1", Artifact: true}
	for _, row := range []struct {
		name   string
		era    pusher.Era
		loaded []image.Loaded
		want   []image.Loaded
		err    string
	}{
		{"best pushes both", pusher.Best(), []image.Loaded{app, sbom}, []image.Loaded{app, sbom}, ""},
		{"docker pushes images", pusher.Docker2010(), []image.Loaded{app, sbom}, []image.Loaded{app}, ""},
		{"docker pushes no artifact", pusher.Docker2010(), []image.Loaded{sbom}, nil, "x.tar: it holds artifacts alone, and docker-20.10 makes manifests of images"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := pushable("x.tar", row.loaded, row.era)
			if row.err != "" {
				require.EqualError(t, err, row.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.want, got)
		})
	}
}
