package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// image loads one image manifest.
//
// Errors: *absentError, *notImageError, *otherPlatformError.
func (l *layoutLoad) image(ctx context.Context, c candidate) (layoutImage, error) {
	manifest := descriptorOf(c.descriptor)
	name, file, err := l.blob(ctx, c.from, manifest)
	if err != nil {
		return layoutImage{}, err
	}
	var m v1.Manifest
	if _, err := l.document(name, file, &m); err != nil {
		return layoutImage{}, err
	}
	if manifest.MediaType == "" {
		manifest.MediaType = m.MediaType
	}
	if !slices.Contains([]string{"", mediaOCIManifest, mediaDockerManifest}, manifest.MediaType) {
		return layoutImage{}, &notImageError{l.fail(name, "it is not an image: its media type is "+manifest.MediaType, adviceImage)}
	}
	config, data, err := l.config(ctx, name, descriptorOf(m.Config))
	if err != nil {
		return layoutImage{}, err
	}
	if len(m.Layers) != len(config.RootFS.DiffIDs) {
		return layoutImage{}, l.fail(name, fmt.Sprintf("its number of layers is %d, but in its config %d", len(m.Layers), len(config.RootFS.DiffIDs)), adviceRebuild)
	}
	src := imageSource{config: data, origin: Origin{Config: descriptorOf(m.Config), Manifest: &manifest, Platform: config.platform(), Index: c.index}}
	if p := c.descriptor.Platform; p != nil && src.origin.Platform == "" {
		src.origin.Platform = platform(p.OS, p.Architecture, p.Variant)
	}
	if err := l.check(src.origin.Platform); err != nil {
		return layoutImage{}, err
	}
	for i, layer := range m.Layers {
		p, err := l.layer(ctx, name, descriptorOf(layer), config.RootFS.DiffIDs[i])
		if err != nil {
			return layoutImage{}, err
		}
		src.parts = append(src.parts, p)
		src.origin.Layers = append(src.origin.Layers, descriptorOf(layer))
	}
	ids, err := l.add(src)
	if err != nil {
		return layoutImage{}, &LoadError{Source: l.name, Entry: name, Problem: "it cannot be given V1 IDs", Advice: adviceRebuild, Err: err}
	}
	img := layoutImage{Loaded: Loaded{Image: ids[len(ids)-1], Platform: src.origin.Platform, Content: manifest.Digest}, config: m.Config.Digest}
	if c.index != nil {
		img.Content = c.index.Digest
	}
	return img, nil
}

// add adds an image to the batch and returns the IDs of its layers, bottom first.
func (l *layoutLoad) add(src imageSource) ([]string, error) {
	if l.batch.store.layout != nil {
		return l.addUnread(src.origin), nil
	}
	return l.batch.addImage(src)
}

// config reads the config of a manifest. Anything that has a root file system
// counts as one: registries are known to lose its media type (P-373).
func (l *layoutLoad) config(ctx context.Context, manifest string, d Descriptor) (imageConfig, []byte, error) {
	name, file, err := l.blob(ctx, manifest, d)
	if err != nil {
		return imageConfig{}, nil, err
	}
	known := d.MediaType == mediaOCIConfig || d.MediaType == mediaDockerConfig
	refusal := &notImageError{l.fail(manifest, "it is not an image: its config is of media type "+d.MediaType, adviceImage)}
	if !known && file.size > l.batch.store.bound.json {
		return imageConfig{}, nil, refusal
	}
	var config imageConfig
	data, err := l.document(name, file, &config)
	if known && err != nil {
		return imageConfig{}, nil, err
	}
	if !known && (err != nil || config.RootFS.Type != "layers") {
		return imageConfig{}, nil, refusal
	}
	return config, data, nil
}

// layer examines one layer of a manifest. One that lives elsewhere need not be there.
func (l *layoutLoad) layer(ctx context.Context, manifest string, d Descriptor, diffID digest.Digest) (part, error) {
	p, err := l.presentLayer(ctx, manifest, d, diffID)
	var absent *absentError
	if errors.As(err, &absent) && len(d.URLs) > 0 {
		return part{diffID: diffID, blob: &d, absent: true}, nil
	}
	return p, err
}

// presentLayer examines one layer of a manifest.
//
// Errors: *absentError.
func (l *layoutLoad) presentLayer(ctx context.Context, manifest string, d Descriptor, diffID digest.Digest) (part, error) {
	if l.batch.store.layout != nil {
		return l.unread(manifest, d, diffID)
	}
	if err := l.checkDigest(manifest, diffID); err != nil {
		return part{}, err
	}
	name, file, err := l.blob(ctx, manifest, d)
	if err != nil {
		return part{}, err
	}
	return l.part(ctx, name, file, diffID, &d)
}

// platform is how a platform is written.
func platform(os, architecture, variant string) string {
	if os == "" || architecture == "" {
		return ""
	}
	return strings.TrimSuffix(os+"/"+architecture+"/"+variant, "/")
}

func (c imageConfig) platform() string { return platform(c.OS, c.Architecture, c.Variant) }

// isWanted tells whether an image is for the platform that a name leads to.
func isWanted(i layoutImage) bool { return strings.HasPrefix(i.Platform+"/", wantedPlatform+"/") }
