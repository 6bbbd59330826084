package main

import (
	"slices"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// forPlatform takes of each image that is to be pushed the one for the platform that
// was asked for: what an era that knows no indexes has locally, and what the others
// pick out of theirs. Without --platform it is nil, and changes nothing.
func (f pushFlags) forPlatform(loaded []image.Loaded, chosen map[string]image.Loaded) (*v1.Platform, error) {
	if f.platform == "" {
		return nil, nil //nolint:nilnil // nothing was asked for
	}
	want, err := pusher.ParsePlatform(f.platform)
	if err != nil {
		return nil, usage("", "--platform: %v", err)
	}
	for tag, one := range chosen {
		of := filter(loaded, func(l image.Loaded) bool {
			return l.Image == one.Image || one.Content != "" && l.Content == one.Content
		})
		i := slices.IndexFunc(of, func(l image.Loaded) bool { return pusher.PlatformMatches(want, l.Platform) })
		if i < 0 {
			return nil, usage("choose one of those, or leave --platform out", "the image is not there for %s; it is there for %s", f.platform, platformsOf(of))
		}
		one.Image, one.Platform = of[i].Image, of[i].Platform
		chosen[tag] = one
	}
	return &want, nil
}

// platformsOf lists the platforms of images, each once.
func platformsOf(loaded []image.Loaded) string {
	var list []string
	for _, l := range loaded {
		if l.Platform != "" && !slices.Contains(list, l.Platform) {
			list = append(list, l.Platform)
		}
	}
	if len(list) == 0 {
		return "none that it names"
	}
	return strings.Join(list, ", ")
}
