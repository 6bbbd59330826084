package image

import (
	"context"
	"path"
	"slices"
	"strings"
)

// v1Chain adds an image with the V1 IDs that the archive itself has for it, beside
// manifest.json, for dockers that know no configs: a chain of layer folders with
// the same layers. It returns the ID of its top, or "" when there is no such chain.
func (s *source) v1Chain(ctx context.Context, img savedImage, src imageSource) (string, error) {
	top, err := s.v1Top(ctx, img)
	if err != nil || top == "" {
		return "", err
	}
	var chain []stagedLayer // top first
	for i, id := len(src.parts)-1, top; id != ""; i-- {
		if i < 0 || !validID(id) {
			return "", nil
		}
		same, err := s.sameLayer(ctx, id, src.parts[i])
		if err != nil || !same {
			return "", err
		}
		v1, json, err := s.v1(ctx, id)
		if err != nil {
			return "", err
		}
		chain = append(chain, stagedLayer{id: id, v1: v1, rec: src.parts[i].record(json.Parent)})
		id = json.Parent
	}
	if len(chain) != len(src.parts) {
		return "", nil
	}
	for _, l := range slices.Backward(chain) {
		s.batch.addLayer(l)
	}
	s.batch.addOrigin(top, src.origin)
	return top, nil
}

// v1Top is the ID that repositories has for one of an image's names, or else the
// folder of its top layer.
func (s *source) v1Top(ctx context.Context, img savedImage) (string, error) {
	repositories, err := s.repositories(ctx)
	if err != nil {
		return "", err
	}
	for _, name := range img.RepoTags {
		if i := strings.LastIndexByte(name, ':'); i > 0 {
			if id := repositories[name[:i]][name[i+1:]]; id != "" {
				return id, nil
			}
		}
	}
	if len(img.Layers) == 0 {
		return "", nil
	}
	if id := path.Dir(path.Clean(img.Layers[len(img.Layers)-1])); validID(id) {
		return id, nil
	}
	return "", nil
}

// sameLayer tells whether a layer folder is there and holds such a layer.
func (s *source) sameLayer(ctx context.Context, id string, want part) (bool, error) {
	for _, name := range []string{id + "/json", id + "/layer.tar"} {
		if there, err := s.has(ctx, name); err != nil || !there {
			return false, err
		}
	}
	name := id + "/layer.tar"
	file, err := s.fetch(ctx, name)
	if err != nil {
		return false, err
	}
	p, err := s.part(ctx, name, file, "", nil)
	return p.diffID == want.diffID, err
}
