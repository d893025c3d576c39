//! Nodes and the network as parameters of a test.

use super::{Net, Node};
use crate::error::Result;
use crate::fixture::{Fixture, Param, Spec, World};
use crate::topology::spec::Parameters;

/// What the parameters and arguments of one test ask of its network.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParameterSpec(pub(crate) Parameters);

impl Fixture for Node {
    /// The position among the nodes that parameters ask for.
    type Plan = usize;

    fn plan(spec: &mut Spec, param: Param<'_>) -> Result<usize> {
        let nodes = &mut spec.parameters.0.nodes;
        nodes.push(param.name().to_owned());
        Ok(nodes.len() - 1)
    }

    fn setup(position: usize, world: &World) -> Result<Self> {
        let nodes = world.net().nodes();
        Ok(nodes[position].clone())
    }
}

impl Fixture for Net {
    type Plan = ();

    fn plan(_: &mut Spec, _: Param<'_>) -> Result<()> {
        Ok(())
    }

    fn setup((): (), world: &World) -> Result<Self> {
        Ok(world.net().clone())
    }
}
