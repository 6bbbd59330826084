package image

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
)

// A savedImage is one image of manifest.json, as docker save writes it since 1.10.
type savedImage struct {
	Config   string   // path
	RepoTags []string // "lib/app:latest"
	Layers   []string // paths, bottom first
}

// loadNewSave loads the images of manifest.json. Those that known has came with
// the index beside it; they get the names that they have here as well.
func (s *source) loadNewSave(ctx context.Context, known []layoutImage) ([]Loaded, error) {
	const name = "manifest.json"
	file, err := s.fetch(ctx, name)
	if err != nil {
		return nil, err
	}
	var images []savedImage
	if _, err := s.document(name, file, &images); err != nil {
		return nil, err
	}
	if len(images) == 0 && len(known) == 0 {
		return nil, s.fail(name, "it lists no image", adviceComplete)
	}
	var loaded []Loaded
	for i, img := range images {
		entry := fmt.Sprintf("%s: image %d", name, i)
		one, err := s.savedImage(ctx, entry, img, known)
		if errors.As(err, new(*otherPlatformError)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		named, err := s.repoTags(entry, img.RepoTags, one)
		if err != nil {
			return nil, err
		}
		loaded = append(loaded, named...)
	}
	return loaded, nil
}

// savedImage adds one image.
//
// Errors: *otherPlatformError.
func (s *source) savedImage(ctx context.Context, entry string, img savedImage, known []layoutImage) (Loaded, error) {
	name, err := s.refer(entry, img.Config)
	if err != nil {
		return Loaded{}, err
	}
	file, err := s.need(ctx, name, "manifest.json names it")
	if err != nil {
		return Loaded{}, err
	}
	for _, k := range known {
		if k.config == file.digest {
			return Loaded{Image: k.Image, Platform: k.Platform, Content: k.Content}, nil
		}
	}
	if hex := configHex(name); validID(hex) && hex != file.digest.Encoded() {
		return Loaded{}, s.fail(name, "its digest is "+file.digest.String()+", not the one in its name", adviceAgain)
	}
	var config imageConfig
	data, err := s.document(name, file, &config)
	if err != nil {
		return Loaded{}, err
	}
	if err := s.check(config.platform()); err != nil {
		return Loaded{}, err
	}
	parts, err := s.savedLayers(ctx, entry, img, config.RootFS.DiffIDs)
	if err != nil {
		return Loaded{}, err
	}
	src := imageSource{config: data, parts: parts, origin: Origin{
		Config:   Descriptor{MediaType: mediaDockerConfig, Digest: file.digest, Size: file.size},
		Platform: config.platform(),
	}}
	id, err := s.v1Chain(ctx, img, src)
	switch {
	case err != nil:
		return Loaded{}, err
	case id == "":
		ids, err := s.batch.addImage(src)
		if err != nil {
			return Loaded{}, &LoadError{Source: s.name, Entry: name, Problem: "it cannot be given V1 IDs", Advice: adviceRebuild, Err: err}
		}
		id = ids[len(ids)-1]
	}
	return Loaded{Image: id, Platform: src.origin.Platform}, nil
}

// configHex is the digest that the name of a config promises.
func configHex(name string) string {
	return strings.TrimPrefix(strings.TrimSuffix(path.Base(name), ".json"), "sha256:")
}

// savedLayers examines the layers of an image, bottom first.
func (s *source) savedLayers(ctx context.Context, entry string, img savedImage, diffIDs []digest.Digest) ([]part, error) {
	if len(img.Layers) != len(diffIDs) {
		return nil, s.fail(entry, fmt.Sprintf("its number of layers is %d, but in its config %d", len(img.Layers), len(diffIDs)), adviceRebuild)
	}
	var parts []part
	for i, path := range img.Layers {
		name, err := s.refer(entry, path)
		if err != nil {
			return nil, err
		}
		file, err := s.need(ctx, name, "manifest.json names it")
		if err != nil {
			return nil, err
		}
		if err := s.checkDigest(img.Config, diffIDs[i]); err != nil {
			return nil, err
		}
		p, err := s.part(ctx, name, file, diffIDs[i], nil)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// repoTags gives an image its names.
func (s *source) repoTags(entry string, names []string, img Loaded) ([]Loaded, error) {
	if len(names) == 0 {
		return []Loaded{img}, nil
	}
	var loaded []Loaded
	for _, name := range names {
		i := strings.LastIndexByte(name, ':')
		if i < 0 {
			return nil, s.fail(entry, fmt.Sprintf("%q is not a name with a tag", name), adviceRebuild)
		}
		one, err := s.named(entry, name[:i], name[i+1:], img)
		if err != nil {
			return nil, err
		}
		one.Platform = img.Platform
		loaded = append(loaded, one)
	}
	return loaded, nil
}
