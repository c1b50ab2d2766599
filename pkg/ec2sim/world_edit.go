package ec2sim

import "fmt"

// edited has edit change a resource, whose id must stay.
func edited[T resource[T]](t table[T], id string, edit func(*T)) *T {
	r := must(t, id)
	edit(r)
	if (*r).key() != id {
		cannot("the id of " + id + " cannot be edited")
	}
	// What the caller kept of it must not reach the world.
	*r = (*r).clone()
	return r
}

// remove takes a resource of any kind away, unless it holds something.
func (w *world) remove(id string) error {
	if w.tagged(id) == nil {
		return fmt.Errorf("there is no %s", id)
	}
	for eni := range w.interfaces.each() {
		if eni.SubnetID == id {
			return fmt.Errorf("%s holds %s", id, eni.ID)
		}
	}
	for s := range w.subnets.each() {
		if s.VPCID == id {
			return fmt.Errorf("%s holds %s", id, s.ID)
		}
	}
	delete(w.vpcs, id)
	delete(w.subnets, id)
	delete(w.groups, id)
	delete(w.gateways, id)
	delete(w.routes, id)
	delete(w.instances, id)
	delete(w.interfaces, id)
	delete(w.addresses, id)
	return nil
}
