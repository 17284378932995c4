package main

import (
	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
)

// baseInfo reads what a base's own list says.
func baseInfo(state core.StateDir) func(id string) (contents.BaseInfo, error) {
	return func(id string) (contents.BaseInfo, error) {
		b, err := base.Read(state, id)
		if err != nil {
			return contents.BaseInfo{}, err
		}
		info := contents.BaseInfo{Kernel: b.Kernel, Images: b.Images}
		for _, f := range b.Root {
			info.Files = append(info.Files, contents.BaseFile{
				Path: f.Path, Origin: f.Origin, Package: f.Package, Version: f.Version, SHA256: f.SHA256,
			})
		}
		return info, nil
	}
}
