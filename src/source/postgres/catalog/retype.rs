//! Types as the log tells them: a change is told in the shape its table had then, the catalogue has the shape of now.

use crate::flow::catalog::Catalog;
use crate::flow::table::TableName;
use crate::source::SourceError;
use crate::source::postgres::catalog::types::Types;
use crate::source::postgres::sql::Sql;

/// A column that has another type at this place of the log than in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retyped {
    /// Its table.
    pub table: TableName,
    /// Its name.
    pub column: String,
    /// Its other name, which the catalogue may have.
    pub formerly: Option<String>,
    /// OID of the type in the log.
    pub type_oid: u32,
}

impl Retyped {
    fn names(&self, column: &String) -> bool {
        *column == self.column || self.formerly.as_ref() == Some(column)
    }
}

/// Puts the log's types in the place of the catalogue's. What a constraint says of the new type is forgotten.
/// Gives the tables whose columns have other types now.
///
/// # Errors
/// See [`SourceError`].
pub fn retype(sql: &mut Sql, catalog: &mut Catalog, retyped: &[Retyped]) -> Result<Vec<TableName>, SourceError> {
    if retyped.is_empty() {
        return Ok(Vec::new());
    }
    let types = Types::read(sql, retyped.iter().map(|column| column.type_oid).collect())?;
    let mut changed = Vec::new();
    for one in retyped {
        let table = catalog.tables.get_mut(&one.table);
        let column = table.and_then(|table| table.columns.iter_mut().find(|column| one.names(&column.name)));
        if let Some(column) = column.filter(|column| column.type_oid != one.type_oid) {
            let base = types.base(one.type_oid);
            changed.push(one.table.clone());
            column.type_oid = one.type_oid;
            column.type_text = base.text.unwrap_or_else(|| types.text(one.type_oid));
            column.sql_type = base.sql_type;
            column.allowed = base.allowed;
        }
    }
    Ok(changed)
}
