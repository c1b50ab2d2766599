package world

import "fmt"

// Edit has edit change a resource, whose id must stay.
func Edit[T Resource[T]](t Table[T], id string, edit func(*T)) *T {
	r := Must(t, id)
	edit(r)
	if (*r).key() != id {
		cannot("the id of " + id + " cannot be edited")
	}
	// What the caller kept of it must not reach the world.
	*r = (*r).clone()
	return r
}

// Remove takes a resource of any kind away, unless it holds something.
func (w *World) Remove(id string) error {
	if w.tagged(id) == nil {
		return fmt.Errorf("there is no %s", id)
	}
	for eni := range w.Interfaces.Each() {
		if eni.SubnetID == id {
			return fmt.Errorf("%s holds %s", id, eni.ID)
		}
	}
	for s := range w.Subnets.Each() {
		if s.VPCID == id {
			return fmt.Errorf("%s holds %s", id, s.ID)
		}
	}
	delete(w.VPCs, id)
	delete(w.Subnets, id)
	delete(w.Groups, id)
	delete(w.Gateways, id)
	delete(w.Routes, id)
	delete(w.Instances, id)
	delete(w.Interfaces, id)
	delete(w.Addresses, id)
	for a := range w.Addresses.Each() {
		if a.InterfaceID == id {
			a.unbind()
		}
	}
	return nil
}
